package ecr_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr"
)

// A child process pushes images and is killed; every image that has a tag
// afterwards can be pulled whole, and every acknowledged one has its tag.
func TestAKilledEngineKeepsItsImages(t *testing.T) {
	if dir := os.Getenv("ECR_CHILD"); dir != "" {
		pushForEver(t, dir)
	}
	for range 6 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestAKilledEngineKeepsItsImages$")
		cmd.Env = append(os.Environ(), "ECR_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acked []string
		var killer *time.Timer
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if tag, ok := strings.CutPrefix(lines.Text(), "pushed "); ok {
				acked = append(acked, tag)
			}
			if killer == nil {
				killer = time.AfterFunc(time.Duration(rand.IntN(80))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		_, s := reopen(t, dir)
		tags, err := crane.ListTags("localhost:4566/web", crane.WithTransport(s.Transport()), crane.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if len(tags) < len(acked) || len(acked) == 0 {
			t.Errorf("%d tags, %d acknowledged", len(tags), len(acked))
		}
		for _, tag := range append(tags, acked...) {
			img, err := crane.Pull("localhost:4566/web:"+tag, crane.WithTransport(s.Transport()), crane.Insecure)
			if err == nil {
				err = validate.Image(img)
			}
			if err != nil {
				t.Errorf("image %s: %v", tag, err)
			}
		}
	}
}

func reopen(t *testing.T, dir string) (*store.Store, *ecr.Service) {
	t.Helper()
	db, err := store.Open(store.Config{Path: filepath.Join(dir, "db")}, ecr.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := ecr.New(ecr.Config{Store: db, Dir: filepath.Join(dir, "registry"), DefaultScope: scope, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

func pushForEver(t *testing.T, dir string) {
	_, s := reopen(t, dir)
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope})
	if _, err := s.CreateRepository(ctx, &ecrapi.CreateRepositoryInput{RepositoryName: new("web")}); err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		tag := fmt.Sprintf("v%d", i)
		if err := crane.Push(image(t), "localhost:4566/web:"+tag, crane.WithTransport(s.Transport()), crane.Insecure); err != nil {
			panic(err)
		}
		fmt.Println("pushed " + tag)
	}
}
