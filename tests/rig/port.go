package rig

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// ports returns a free address for the API and an offset that leaves ports 80
// and 443 of load balancers free.
func ports() (api string, offset int, err error) {
	for range 100 {
		base := 20000 + rand.IntN(100)*100 // below the ports the kernel gives away
		if free(base) && free(base+80) && free(base+443) {
			return fmt.Sprintf("127.0.0.1:%d", base), base, nil
		}
	}
	return "", 0, fmt.Errorf("no free ports between 20000 and 30000 on 127.0.0.1")
}

func free(port int) bool {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
