// Package rig runs real engines for stories and benchmarks: the built binary,
// a state directory and free ports of its own, commands as a user types them,
// load through the load balancer, and what the host shows of it all.
//
// It mocks nothing and installs nothing; what it misses it names together with
// the line that installs it. Everything it starts it ends, also after a
// failure: Close stops the engine and removes its files.
package rig
