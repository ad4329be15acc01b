package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

const (
	// keptEvents is how many events a service shows.
	keptEvents = 100
	// complainAgain is how long a complaint is not repeated (Amazon ECS
	// developer guide, "Viewing Amazon ECS service event messages").
	complainAgain = 6 * time.Hour
	steadyText    = "has reached a steady state."
)

// announce adds an event to a service.
func announce(tx *store.Tx, row ServiceRow, now time.Time, text string) {
	e := event{Service: Services.Key(row), N: 1, At: now, Text: "(service " + row.Name + ") " + text}
	if before := eventsOf(tx, row); len(before) > 0 {
		e.N = before[0].N + 1
	}
	events.Put(tx, e)
	events.Delete(tx, eventKey(e.Service, e.N-keptEvents))
}

// eventsOf are the events of a service, newest first.
func eventsOf(r store.Reader, row ServiceRow) []event {
	all := slices.Collect(events.List(r, Services.Key(row)+"/"))
	slices.Reverse(all)
	return all
}

func eventKey(service string, n int) string { return fmt.Sprintf("%s/%012d", service, n) }

// forgetEvents removes the events of a service.
func forgetEvents(tx *store.Tx, row ServiceRow) {
	for _, e := range eventsOf(tx, row) {
		events.Delete(tx, events.Key(e))
	}
}

// complain adds an event about something that goes on: it is not repeated
// until the service has been steady, or six hours have passed.
func complain(tx *store.Tx, row ServiceRow, now time.Time, text string) {
	for _, e := range eventsOf(tx, row) {
		if strings.HasSuffix(e.Text, steadyText) || now.Sub(e.At) >= complainAgain {
			break
		}
		if e.Text == "(service "+row.Name+") "+text {
			return
		}
	}
	announce(tx, row, now, text)
}

// eventID is a UUID-shaped id made of the creation of the service and the
// event's number.
func eventID(row ServiceRow, n int) string {
	born := fmt.Sprintf("%016x", row.CreatedAt.UnixNano())
	return fmt.Sprintf("%s-%s-4%s-8000-%012x", born[:8], born[8:12], born[12:15], n)
}
