package images

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// latest is the tag that follows the newest image, for templates deployed without parameters.
const latest = "latest"

// Destination is a repository and how to log in there. User and Password are what ecr get-login-password gives: AWS and a token.
type Destination struct {
	Repository string // such as localhost:4566/payment-service-dev; localhost and loopback addresses are spoken to without TLS
	User       string
	Password   string
	Transport  http.RoundTripper // default: http.DefaultTransport
}

// Pushed is what a push left in the registry.
type Pushed struct {
	Service string
	Image   Image
	Skipped bool // the registry had it already, under both tags
	Took    time.Duration
}

// plain lets a registry on any address of the loopback be asked without TLS.
func plain(repository string) []name.Option {
	host, _, _ := strings.Cut(repository, "/")
	if ap, err := netip.ParseAddrPort(host); err == nil && ap.Addr().IsLoopback() {
		return []name.Option{name.Insecure}
	}
	return nil
}

// Push puts an image into a repository under its own tag and as latest. What is there already is not sent again.
func Push(ctx context.Context, image Image, to Destination) (Pushed, error) {
	began := time.Now()
	out := Pushed{Service: image.Service, Image: image}
	repository, err := name.NewRepository(to.Repository, plain(to.Repository)...)
	if err != nil {
		return out, fmt.Errorf("push %s: %w", image.Service, err)
	}
	if to.Transport == nil {
		to.Transport = http.DefaultTransport
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(to.Transport), remote.WithJobs(4),
		remote.WithAuth(&authn.Basic{Username: to.User, Password: to.Password}),
	}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return out, fmt.Errorf("push %s: %w", image.Service, err)
	}
	out.Skipped = true
	for _, tag := range []string{image.Tag, latest} {
		ref := repository.Tag(tag)
		if there, err := remote.Head(ref, options...); err == nil && there.Digest == image.Digest {
			continue
		}
		out.Skipped = false
		if err := pusher.Push(ctx, ref, image.Content); err != nil {
			return out, fmt.Errorf("push %s to %s: %w", image.Service, ref, err)
		}
	}
	out.Took = time.Since(began)
	return out, nil
}

// PushAll pushes images at the same time, each to the destination that to gives for its service. Results keep the order of the images; the
// error joins what failed.
func PushAll(ctx context.Context, images []Image, to func(service string) Destination) ([]Pushed, error) {
	var (
		out   = make([]Pushed, len(images))
		fails failures
		group sync.WaitGroup
	)
	for i, image := range images {
		group.Go(func() {
			pushed, err := Push(ctx, image, to(image.Service))
			if err != nil {
				fails.add(err)
			}
			out[i] = pushed
		})
	}
	group.Wait()
	return out, fails.join()
}
