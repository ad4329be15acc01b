package ecr

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

const (
	// layerGrace is how long a layer that no image uses is kept: the time
	// between its upload and the push of its manifest.
	layerGrace = time.Hour
	// uploadIdle is how long an upload may rest.
	uploadIdle = 6 * time.Hour
	// sweepEvery is how often garbage is looked for besides after removals.
	sweepEvery = 6 * time.Hour
	// pullRecord is how exact the time of the last pull is, as on AWS.
	pullRecord = 24 * time.Hour
)

// Loops keep the registry clean and lifecycle policies applied.
func (s *Service) Loops() []loop.Loop {
	return []loop.Loop{
		{
			Name:   "ecr/garbage",
			List:   func(*store.Snapshot) []string { return []string{"all"} },
			Resync: sweepEvery,
			Keys: func(snap *store.Snapshot, c store.Change) []string {
				if c.Table != Images.Name() && c.Table != Repositories.Name() {
					return nil
				}
				if _, err := Images.Get(snap, c.Key); err == nil {
					return nil // a push
				}
				if _, err := Repositories.Get(snap, c.Key); err == nil {
					return nil
				}
				return []string{"all"}
			},
			Reconcile: func(context.Context, string) (time.Duration, error) { return 0, s.Collect() },
		},
		s.lifecycleLoop(),
	}
}

// Collect drops layers that no image has used for a while, then removes every
// blob that no row names. It is safe while images are pushed: see
// registry.Blobs.Sweep.
func (s *Service) Collect() error {
	snap := s.store.Snapshot()
	var stale []string
	for l := range Layers.List(snap, "") {
		if s.stale(snap, l) {
			stale = append(stale, Layers.Key(l))
		}
	}
	if len(stale) > 0 {
		err := s.store.Update(func(tx *store.Tx) error {
			for _, key := range stale {
				// A push may have come in between.
				if l, err := Layers.Get(tx, key); err == nil && s.stale(tx, l) {
					Layers.Delete(tx, key)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	out, err := s.blobs.Sweep(uploadIdle, func(d digest.Digest) bool {
		snap := s.store.Snapshot()
		for range Images.By(snap, "digest", string(d)) {
			return true
		}
		for range Layers.By(snap, "digest", string(d)) {
			return true
		}
		return false
	})
	if out.Blobs > 0 || out.Uploads > 0 {
		s.log.Info("collected garbage", "blobs", out.Blobs, "bytes", out.Bytes, "uploads", out.Uploads)
	}
	return err
}

func (s *Service) stale(r store.Reader, l Layer) bool {
	return s.now().Sub(l.LinkedAt) > layerGrace && !used(r, Layers.Key(l))
}

// pulled records the time of a pull, once a day.
func (s *Service) pulled(img Image) {
	if s.now().Sub(img.PulledAt) < pullRecord {
		return
	}
	err := s.store.Update(func(tx *store.Tx) error {
		if now, err := Images.Get(tx, Images.Key(img)); err == nil { // else deleted meanwhile
			now.PulledAt = s.time()
			Images.Put(tx, now)
		}
		return nil
	})
	if err != nil {
		s.log.Warn("record a pull", "repository", img.Repository, "err", err)
	}
}
