// Command server is what the tasks of the stories run: it serves, or prints a
// line and exits with a code.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "exit" {
		code, err := strconv.Atoi(os.Args[2])
		if err != nil {
			code = 99
		}
		fmt.Println("leaving with", code, os.Getenv("GREETING"))
		os.Exit(code)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		err := http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "hello from", r.URL.Path)
		}))
		fmt.Println(err)
		os.Exit(1)
	}()
	fmt.Println("serving on", os.Getenv("PORT"))
	<-stop
}
