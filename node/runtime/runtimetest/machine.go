package runtimetest

import "runtime"

// machine is the architecture of the images made here.
const machine = runtime.GOARCH
