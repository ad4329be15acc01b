package cloudformation

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// provider is a fake provider of custom resources: it answers what the story says, and remembers where to answer later.
type provider struct {
	story   *story
	answers map[string]string // "Create A" -> body; "" answers later
	urls    map[string]string // logical id -> ResponseURL
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var q providerRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	p.story.cloud.mu.Lock()
	defer p.story.cloud.mu.Unlock()
	p.urls[q.LogicalResourceID] = q.ResponseURL
	p.story.printf("  provider: %s %s %s %q %s was %s", q.RequestType, q.ResourceType, q.LogicalResourceID, p.story.clean(q.PhysicalResourceID),
		encode(q.ResourceProperties), encode(q.OldResourceProperties))
	answer := p.answers[q.RequestType+" "+q.LogicalResourceID]
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// respond PUTs an answer to the last address a logical id's provider was given.
func (p *provider) respond(id, body string) {
	w := httptest.NewRecorder()
	p.story.svc.Callbacks().ServeHTTP(w, httptest.NewRequest("PUT", p.urls[id], strings.NewReader(body)))
	p.story.printf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
}
