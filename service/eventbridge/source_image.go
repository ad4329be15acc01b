package eventbridge

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr"
)

// seeTag sees a tag of an image: which image it names, and since when.
// Source of the events: Amazon ECR user guide, Sample events from Amazon ECR.
func seeTag(r store.Reader, key string, before *observed) (sighting, bool) {
	t, err := ecr.Tags.Get(r, key)
	if err != nil {
		if before == nil {
			return sighting{}, false
		}
		digest, _, _ := strings.Cut(before.Print, " ")
		name := strings.TrimPrefix(key, scopeOf(key).Key(""))
		at := strings.LastIndexByte(name, ':')
		return sighting{tell: func(context.Context, *Service, *observed) ([]happening, error) {
			return []happening{imageAction(scopeOf(key), "DELETE", name[:at], name[at+1:], digest, now())}, nil
		}}, true
	}
	return sighting{
		observed: observed{Print: t.Digest + " " + t.PushedAt.UTC().Format(time.RFC3339Nano)},
		tell: func(context.Context, *Service, *observed) ([]happening, error) {
			return []happening{imageAction(t.Scope, "PUSH", t.Repository, t.Tag, t.Digest, t.PushedAt)}, nil
		},
	}, true
}

func imageAction(sc arn.Scope, action, repository, tag, digest string, at time.Time) happening {
	return newEvent(sc, "aws.ecr", "ECR Image Action", at, map[string]any{
		"result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": action, "image-tag": tag,
	})
}
