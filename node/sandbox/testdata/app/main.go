// Command app is what the containers of the sandbox's tests run.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "exit": // exit CODE
		code, _ := strconv.Atoi(os.Args[2])
		fmt.Println("exit", code)
		os.Exit(code)
	case "wait": // wait FIFO CODE: ends when something opens the FIFO
		fmt.Println("waiting")
		f, err := os.OpenFile(os.Args[2], os.O_RDONLY, 0)
		if err != nil {
			panic(err)
		}
		f.Close()
		code, _ := strconv.Atoi(os.Args[3])
		fmt.Println("last words")
		os.Exit(code)
	case "term": // ends on SIGTERM, after writing the file
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		<-c
		if err := os.WriteFile(os.Args[2], []byte("bye"), 0o644); err != nil {
			panic(err)
		}
	case "deaf": // ignores SIGTERM, and the kernel knows
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "stubborn": // catches SIGTERM and stays
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		for range c {
			fmt.Println("no")
		}
	}
}
