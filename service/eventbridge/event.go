package eventbridge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/eventbridge/pattern"
)

// happening is an event in the form in which all of them come.
type happening struct {
	Version    string   `json:"version"` // 0
	ID         string   `json:"id"`      // UUID
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"` // RFC 3339, UTC, seconds
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// newEvent is an event of a moment. The id is drawn, and may be replaced.
func newEvent(sc arn.Scope, source, kind string, at time.Time, detail any, resources ...string) happening {
	if resources == nil {
		resources = []string{}
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return happening{
		Version: "0", ID: uuid(id), DetailType: kind, Source: source, Account: sc.Account, Region: sc.Region,
		Time: at.UTC().Format(time.RFC3339), Resources: resources, Detail: detail,
	}
}

func uuid(id [16]byte) string {
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// stamp is a time as the details of events have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func encode(e happening) (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("event %s of %s: %w", e.DetailType, e.Source, err)
	}
	return string(text), nil
}

// publish sends an event to the targets of every rule of a bus that matches it.
func publish(tx *store.Tx, b Bus, e happening) error {
	text, err := encode(e)
	if err != nil {
		return err
	}
	for _, r := range rulesOf(tx, b, "") {
		if r.Disabled || r.Pattern == "" {
			continue
		}
		if p, err := pattern.Parse(r.Pattern); err == nil && p.Match([]byte(text)) {
			send(tx, r, e.ID, text)
		}
	}
	return nil
}

// send puts an event on its way to all targets of a rule.
func send(tx *store.Tx, r Rule, id, event string) {
	for _, t := range r.Targets {
		sum := sha256.Sum256([]byte(r.path() + "\x00" + *t.Id))
		Deliveries.Put(tx, Delivery{
			Scope: r.Scope, ID: id + "/" + hex.EncodeToString(sum[:8]), Rule: r.path(), Target: *t.Id, Event: event, Since: now(),
		})
	}
}

// maxEntry bounds an entry of PutEvents in bytes.
const maxEntry = 256 << 10

// PutEvents sends events of the caller's own. An entry that is none is told,
// and keeps no other back.
func (s *Service) PutEvents(ctx context.Context, in *api.PutEventsInput) (*api.PutEventsOutput, error) {
	if val(in.EndpointId) != "" {
		return nil, invalid("EndpointId is not supported by this engine yet.")
	}
	sc, snap := scope(ctx), s.Store.Snapshot()
	out := &api.PutEventsOutput{Entries: []api.PutEventsResultEntry{}}
	var good []happening
	var buses []Bus // of each of them
	failed := int32(0)
	for _, entry := range in.Entries {
		b, err := s.target(ctx, snap, entry.EventBusName)
		if errors.Is(err, &awsapi.Error{Code: "AccessDeniedException"}) {
			return nil, err
		}
		if code, why := entryFault(entry, err); code != "" {
			failed++
			out.Entries = append(out.Entries, api.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &why})
			continue
		}
		at := now()
		if entry.Time != nil {
			at = *entry.Time
		}
		e := newEvent(sc, *entry.Source, *entry.DetailType, at, json.RawMessage(*entry.Detail), entry.Resources...)
		good, buses = append(good, e), append(buses, b)
		out.Entries = append(out.Entries, api.PutEventsResultEntry{EventId: &e.ID})
	}
	out.FailedEntryCount = &failed
	return out, s.Store.Update(func(tx *store.Tx) error {
		for i, e := range good {
			if err := publish(tx, buses[i], e); err != nil {
				return err
			}
		}
		return nil
	})
}

// entryFault is the code and text of what is wrong with an entry, whose bus may be missing.
func entryFault(e api.PutEventsRequestEntry, noBus error) (code, why string) {
	const bad = "InvalidArgument"
	var object map[string]json.RawMessage
	switch {
	case val(e.Source) == "":
		return bad, "Parameter Source is not valid. Reason: Source is a required argument."
	case strings.HasPrefix(*e.Source, "aws."):
		return "NotAuthorizedForSourceException", "Not authorized for the source."
	case val(e.DetailType) == "":
		return bad, "Parameter DetailType is not valid. Reason: DetailType is a required argument."
	case val(e.Detail) == "":
		return bad, "Parameter Detail is not valid. Reason: Detail is a required argument."
	case len(*e.Source)+len(*e.DetailType)+len(*e.Detail) > maxEntry:
		return bad, "Total size of the entry exceeds 262144 bytes."
	case json.Unmarshal([]byte(*e.Detail), &object) != nil || object == nil:
		return "MalformedDetail", "Detail is malformed."
	case noBus != nil:
		return "ResourceNotFoundException", noBus.Error()
	}
	return "", ""
}
