package ecs

import (
	"fmt"
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
	key := row.Key(row.Cluster, row.Name)
	log, err := events.Get(tx, key)
	if err != nil {
		log = eventLog{Service: key}
	}
	log.Next++
	e := event{ID: eventID(row, log.Next), At: now, Text: "(service " + row.Name + ") " + text}
	log.Events = append([]event{e}, log.Events[:min(len(log.Events), keptEvents-1)]...)
	events.Put(tx, log)
}

// complain adds an event about something that goes on: it is not repeated
// until the service has been steady, or six hours have passed.
func complain(tx *store.Tx, row ServiceRow, now time.Time, text string) {
	log, _ := events.Get(tx, row.Key(row.Cluster, row.Name))
	for _, e := range log.Events {
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
