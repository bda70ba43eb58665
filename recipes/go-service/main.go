// A web server for one folder of pages.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os/signal"
	"syscall"
)

var version = "unknown" // the build step says which

func main() {
	listen := flag.String("listen", ":8080", "address to listen at")
	pages := flag.String("pages", "/srv/www", "folder of pages")
	flag.Parse()
	http.Handle("/", http.FileServer(http.Dir(*pages)))
	http.HandleFunc("/version", func(out http.ResponseWriter, _ *http.Request) {
		out.Write([]byte(version + "\n"))
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

	log.Printf("version %s, listening at %s", version, *listen)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}
