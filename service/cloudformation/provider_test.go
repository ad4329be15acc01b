package cloudformation

import (
	"encoding/json"
	"fmt"
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
	heard   []string          // requests that the story has not told yet
}

// tell prints what the provider was asked since the last time.
func (p *provider) tell() {
	p.story.cloud.mu.Lock()
	defer p.story.cloud.mu.Unlock()
	for _, line := range p.heard {
		p.story.printf("%s", line)
	}
	p.heard = nil
}

// will sets what the provider answers to a request.
func (p *provider) will(request, body string) {
	p.story.cloud.mu.Lock()
	defer p.story.cloud.mu.Unlock()
	p.answers[request] = body
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
	p.heard = append(p.heard, fmt.Sprintf("  provider: %s %s %s %q %s was %s", q.RequestType, q.ResourceType, q.LogicalResourceID, p.story.clean(q.PhysicalResourceID),
		encode(q.ResourceProperties), encode(q.OldResourceProperties)))
	answer := p.answers[q.RequestType+" "+q.LogicalResourceID]
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// respond PUTs an answer to the last address a logical id's provider was given.
func (p *provider) respond(id, body string) {
	p.story.cloud.mu.Lock()
	url := p.urls[id]
	p.story.cloud.mu.Unlock()
	w := httptest.NewRecorder()
	p.story.svc.Callbacks().ServeHTTP(w, httptest.NewRequest("PUT", url, strings.NewReader(body)))
	p.story.printf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
}
