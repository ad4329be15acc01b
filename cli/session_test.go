package cli

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// TestExec: input goes in, output comes out on its own stream, and the exit
// code becomes ours.
func TestExec(t *testing.T) {
	for _, tc := range []struct {
		name string
		code uint32
		end  bool // with an exit code
		want int
	}{{"success", 0, true, 0}, {"failure", 7, true, 7}, {"broken off", 0, false, 255}} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCloud(t)
			c.tasks(taskFor("payment-service-dev", "ecs-svc/1", "1aaaaaaaaaaa", "RUNNING", nil))
			c.in = strings.NewReader("two\nlines\n")
			var server *httptest.Server
			handle(c, c.ecs, "ExecuteCommand", func(in *ecsapi.ExecuteCommandInput) (*ecsapi.ExecuteCommandOutput, error) {
				if *in.Command != `sh -c 'echo '\''hi'\'''` || !strings.HasSuffix(*in.Task, "1aaaaaaaaaaa") {
					return nil, awsapi.Errorf("InvalidParameterException", 400, "command %s", *in.Command)
				}
				return &ecsapi.ExecuteCommandOutput{Session: &ecsapi.Session{
					SessionId: new("s"), StreamUrl: new("ws" + strings.TrimPrefix(server.URL, "http") + "/session"), TokenValue: new("secret"),
				}}, nil
			})
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer secret" || r.URL.RawQuery != "" {
					t.Errorf("header %v, query %q", r.Header, r.URL.RawQuery)
				}
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.CloseNow()
				var in string
				for {
					_, b, err := conn.Read(r.Context())
					if err != nil || b[0] != frameIn {
						t.Errorf("%v %v", b, err)
						return
					}
					if len(b) == 1 {
						break
					}
					in += string(b[1:])
				}
				write := func(kind byte, b string) {
					if err := conn.Write(r.Context(), websocket.MessageBinary, append([]byte{kind}, b...)); err != nil {
						t.Error(err)
					}
				}
				write(frameOut, "got "+in)
				write(frameErr, "oh\n")
				if tc.end {
					write(frameExit, string(binary.BigEndian.AppendUint32(nil, tc.code)))
				}
			}))
			defer server.Close()
			if code := c.run(t.Context(), "exec", "payment", "--", "sh", "-c", "echo 'hi'"); code != tc.want {
				t.Errorf("exit code %d, want %d: %s", code, tc.want, c.err.String())
			}
			c.want(&c.out, "got two\nlines\n")
			c.want(&c.err, "oh\n")
		})
	}
}

func TestTaskOf(t *testing.T) {
	c := newCloud(t)
	sick := func(t *ecsapi.Task) { t.HealthStatus = "UNHEALTHY" }
	c.tasks(
		taskFor("payment-service-dev", "d", "aaaa1111", "RUNNING", sick), taskFor("payment-service-dev", "d", "aaaa2222", "RUNNING", nil),
		taskFor("payment-service-dev", "d", "bbbb3333", "PENDING", nil),
	)
	p := c.platform(c.app())
	for word, want := range map[string]string{
		"payment": "aaaa2222", "payment-service-dev": "aaaa2222", "aaaa1": "aaaa1111", "bbbb3333": "bbbb3333",
		"aaaa": "2 tasks begin with aaaa", "cccc": "no task cccc runs", "order": "no task of order runs", "paiment": "did you mean payment?",
	} {
		got, err := p.taskOf(t.Context(), word)
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && short(*got.TaskArn) != want {
			t.Errorf("%s: %s %v", word, val(got.TaskArn), err)
		}
	}
}
