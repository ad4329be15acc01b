package vpc

import (
	"fmt"
	"sync"
	"testing"
)

// crowd is a VPC with many interfaces.
func crowd(count int) Config {
	c := shop("vpc-1")
	c.Subnets = append(c.Subnets, Subnet{ID: "big", CIDR: prefix("10.0.16.0/20")})
	a := ip("10.0.16.4")
	for i := range count {
		c.Interfaces = append(c.Interfaces, Interface{ID: fmt.Sprintf("eni-%d", i), Subnet: "big", Addr: a, Groups: []string{"sg-web"}})
		a = a.Next()
	}
	return c
}

func BenchmarkAttach(b *testing.B) {
	n := newNetwork(b, Options{})
	apply(b, n, crowd(1))
	for b.Loop() {
		if _, err := n.Attach(b.Context(), "vpc-1", "eni-0"); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		n.Detach(b.Context(), "vpc-1", "eni-0")
		b.StartTimer()
	}
}

func BenchmarkAttach60(b *testing.B) {
	n := newNetwork(b, Options{})
	apply(b, n, crowd(60))
	for b.Loop() {
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if _, err := n.Attach(b.Context(), "vpc-1", fmt.Sprintf("eni-%d", i)); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		for i := range 60 {
			n.Detach(b.Context(), "vpc-1", fmt.Sprintf("eni-%d", i))
		}
		b.StartTimer()
	}
}

// BenchmarkApply adds and removes one interface of a VPC with 60 others.
func BenchmarkApply(b *testing.B) {
	n := newNetwork(b, Options{})
	with, without := crowd(61), crowd(60)
	apply(b, n, without)
	for b.Loop() {
		apply(b, n, with)
		apply(b, n, without)
	}
}

func BenchmarkDetach60(b *testing.B) {
	n := newNetwork(b, Options{})
	apply(b, n, crowd(60))
	each := func(f func(eni string) error) {
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if err := f(fmt.Sprintf("eni-%d", i)); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for b.Loop() {
		b.StopTimer()
		each(func(eni string) error { _, err := n.Attach(b.Context(), "vpc-1", eni); return err })
		b.StartTimer()
		each(func(eni string) error { return n.Detach(b.Context(), "vpc-1", eni) })
	}
}
