package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateIsPrivate(t *testing.T) {
	c := newCloud(t)
	a := c.app()
	a.home = c.home
	credentials := filepath.Join(c.home, "credentials.json")
	for _, tc := range []struct {
		dir, file os.FileMode
		want      string
	}{{0o700, 0o600, "ok ok"}, {0o700, 0o644, "ok failed"}, {0o755, 0o600, "failed ok"}, {0o500, 0o400, "ok ok"}} {
		if err := os.Chmod(c.home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(credentials, tc.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(c.home, tc.dir); err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, f := range a.checkState() {
			states = append(states, f.State)
			if f.State == "failed" && !strings.HasPrefix(f.Fix, "chmod ") {
				t.Errorf("fix %q", f.Fix)
			}
		}
		if got := strings.Join(states, " "); got != tc.want {
			t.Errorf("%o %o: %s, want %s", tc.dir, tc.file, got, tc.want)
		}
	}
	if err := os.Chmod(c.home, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestDiskFinding(t *testing.T) {
	for free, want := range map[uint64]string{1 << 20: "failed", 1 << 30: "warning", 1 << 40: "ok"} {
		if f := diskFinding("/", free); f.State != want {
			t.Errorf("%d: %+v", free, f)
		}
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if f := portFinding(t.Context(), addr, "the API", "move it"); f.State != "failed" || f.Fix != "move it" || !strings.Contains(f.Detail, "is taken") {
		t.Errorf("%+v", f)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if f := portFinding(t.Context(), addr, "the API", "move it"); f.State != "ok" {
		t.Errorf("%+v", f)
	}
}

func TestFindingsDecideTheExitCode(t *testing.T) {
	c := newCloud(t)
	a := c.app()
	fine := []finding{good("a", "all is well"), bad("b", false, "do this", "could be better"), {Name: "c", State: "note", Detail: "by the way"}}
	if err := a.showFindings(fine); err != nil {
		t.Error(err)
	}
	c.want(&c.out, "✓ a", "! b", "→ do this", "i c")
	err := a.showFindings(append(fine, bad("d", true, "do that", "broken")))
	if code := a.report(err); code != exitFailed || c.err.Len() != 0 {
		t.Errorf("exit code %d, %q", code, c.err.String())
	}
}

func TestCoverage(t *testing.T) {
	c := newCloud(t)
	c.serve = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/_slipway/coverage" {
			fmt.Fprint(w, `[{"Service":"ecs","Operation":"A","Implemented":true},{"Service":"ecs","Operation":"B","Implemented":false},{"Service":"sts","Operation":"C","Implemented":true}]`)
		}
		return true
	}
	if code := c.run(t.Context(), "doctor", "--coverage", "-v"); code != exitOK {
		t.Fatal(c.err.String())
	}
	c.want(&c.out, "ecs", "1/2", "✓ A", "- B", "total", "2/3")
	c.out.Reset()
	c.run(t.Context(), "doctor", "--coverage", "--json")
	var got struct {
		Services []struct {
			Service            string
			Implemented, Total int
			Operations         []struct {
				Name        string
				Implemented bool
			}
		}
	}
	if err := json.Unmarshal(c.out.Bytes(), &got); err != nil || len(got.Services) != 2 || got.Services[0].Total != 2 || got.Services[0].Operations[1].Name != "B" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestInit(t *testing.T) {
	c := newCloud(t)
	c.manifest = filepath.Join(c.home, "new.yaml")
	if code := c.run(t.Context(), "init", "My Shop"); code != exitOK {
		t.Fatal(c.err.String())
	}
	if p := c.platform(c.app()); p.manifest.Name != "my-shop" || len(p.manifest.Services) == 0 {
		t.Errorf("%+v", p.manifest)
	}
	if code := c.run(t.Context(), "init"); code != exitUsage {
		t.Errorf("a second init: exit code %d", code)
	}
}
