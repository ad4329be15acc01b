package sidecar

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// logged is an access log at a path, in a format.
func logged(path string, f *xdsapi.SubstitutionFormatString) *xdsapi.AccessLog {
	file := &xdsapi.FileAccessLog{Path: path}
	if f != nil {
		file.AccessLogFormat = &xdsapi.FileAccessLog_LogFormat{LogFormat: f}
	}
	return &xdsapi.AccessLog{Name: xdsapi.FileLog, ConfigType: &xdsapi.AccessLog_TypedConfig{TypedConfig: xdsapi.Pack(file)}}
}

func written(format string) *xdsapi.SubstitutionFormatString {
	return &xdsapi.SubstitutionFormatString{Format: &xdsapi.SubstitutionFormatString_TextFormatSource{TextFormatSource: &xdsapi.DataSource{
		Specifier: &xdsapi.DataSource_InlineString{InlineString: format},
	}}}
}

func object(members map[string]any) *xdsapi.SubstitutionFormatString {
	s, err := structpb.NewStruct(members)
	if err != nil {
		panic(err)
	}
	return &xdsapi.SubstitutionFormatString{Format: &xdsapi.SubstitutionFormatString_JsonFormat{JsonFormat: s}}
}

// A virtual node's access log is written where and as its spec says, by Envoy's
// rules; a format that is none is refused.
func TestAccessLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	for name, c := range map[string]struct {
		log  []*xdsapi.AccessLog
		want string // what a line has
		nack string
	}{
		"text":                    {[]*xdsapi.AccessLog{logged(path, written("%REQ(:PATH)% %RESPONSE_CODE%\n"))}, "/text 200\n", ""},
		"object":                  {[]*xdsapi.AccessLog{logged(path, object(map[string]any{"code": "%RESPONSE_CODE%", "path": "%REQ(:PATH)%"}))}, `{"code":200,"path":"/object"}` + "\n", ""},
		"envoy's":                 {[]*xdsapi.AccessLog{logged(path, nil)}, `"GET /envoy's HTTP/1.1" 200 - 0 1`, ""},
		"an operator that is not": {[]*xdsapi.AccessLog{logged(path, written("%NO_SUCH%"))}, "", "%NO_SUCH% is not an operator"},
		"a number in an object":   {[]*xdsapi.AccessLog{logged(path, object(map[string]any{"n": 1}))}, "", "n is not a string"},
		"two":                     {[]*xdsapi.AccessLog{logged(path, nil), logged(path, nil)}, "", "several access logs"},
		"a folder that is not":    {[]*xdsapi.AccessLog{logged(dir+"/none/access.log", nil)}, "", "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, at := before(t, newBackend(t).addr(), routes("in", "app"), &xdsapi.HttpConnectionManager{AccessLog: c.log})
			if c.nack != "" {
				if got := <-p.nacks; !strings.Contains(got, c.nack) {
					t.Errorf("refused with %q", got)
				}
				return
			}
			eventually(t, "it serves", func() bool { ready, _ := s.Ready(); return ready })
			resp, err := http.Get("http://" + at + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			var got []byte
			eventually(t, fmt.Sprintf("a line with %q", c.want), func() bool {
				got, _ = os.ReadFile(path)
				return strings.Contains(string(got), c.want)
			})
		})
	}
}
