// A web server that greets.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
)

func main() {
	listen := flag.String("listen", ":8080", "address to listen at")
	flag.Parse()
	http.HandleFunc("/", func(out http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(out, "hello from %s\n", request.URL.Path)
	})
	server := &http.Server{Addr: *listen}

	// The program is process 1 of its container: it has to end itself at `docker stop`.
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ended := make(chan struct{})
	go func() {
		<-stopped.Done()
		server.Shutdown(context.Background())
		close(ended)
	}()

	log.Printf("listening at %s", *listen)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}
