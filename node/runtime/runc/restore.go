package runc

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// restore reads the records of an earlier driver. What it left half made, or
// what has lost its mounts because the sandbox is a new one, is removed.
func (d *Driver) restore(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(d.cfg.Dir, "bundles"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		id := e.Name()
		r, err := readRecord(d.bundle(id))
		if err == nil {
			if mounted, err := isMount(d.rootfs(id)); err == nil && mounted {
				d.records[id] = r
				continue
			}
		}
		d.cfg.Log.Info("half-made container removed", "container", id)
		if err := d.Remove(ctx, id); err != nil {
			return err
		}
	}
	mounted, err := d.cfg.Images.Mounted(ctx)
	if err != nil {
		return fmt.Errorf("list root file systems: %w", err)
	}
	for _, id := range mounted {
		if _, ok := d.records[id]; !ok {
			if err := d.cfg.Images.Unmount(ctx, id, d.rootfs(id)); err != nil {
				return err
			}
		}
	}
	if d.cgroups != nil {
		d.cgroups.sweep(d.records)
	}
	return nil
}

func readRecord(bundle string) (record, error) {
	var r record
	b, err := os.ReadFile(filepath.Join(bundle, recordFile))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}
