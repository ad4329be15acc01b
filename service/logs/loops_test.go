package logs_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/logsapi"
)

// What is deleted is out of sight at once and off the disk soon.
func TestDeletedIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		for _, l := range w.s.Loops() {
			go l.Run(ctx, w.db, slog.New(slog.DiscardHandler))
		}
		now := time.Now().UnixMilli()
		w.write("g", "keep", line(now, "kept"))
		w.write("g", "drop", line(now, "the secret"))
		synctest.Wait()
		if _, err := w.s.DeleteLogStream(w.ctx, &logsapi.DeleteLogStreamInput{LogGroupName: new("g"), LogStreamName: new("drop")}); err != nil {
			t.Fatal(err)
		}
		w.write("g", "drop", line(now, "fresh"))
		found, err := w.s.FilterLogEvents(w.ctx, &logsapi.FilterLogEventsInput{LogGroupName: new("g")})
		if err != nil || len(found.Events) != 2 || *found.Events[1].Message != "fresh" {
			t.Errorf("%+v %v", found, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if onDisk(t, w.dir, "the secret") || !onDisk(t, w.dir, "fresh") {
			t.Error("the events of a deleted stream are on the disk, or others are not")
		}
		if _, err := w.s.DeleteLogGroup(w.ctx, &logsapi.DeleteLogGroupInput{LogGroupName: new("g")}); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(w.dir); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		w.ev.Close()
		cancel()
		synctest.Wait()
	})
}

func onDisk(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		found = found || strings.Contains(string(data), text)
	}
	return found
}

func TestRetentionRemovesOldSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(w.ctx)
		for _, l := range w.s.Loops() {
			go l.Run(ctx, w.db, slog.New(slog.DiscardHandler))
		}
		w.write("g", "s", line(time.Now().UnixMilli(), "old line"))
		if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(1))}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23 * time.Hour)
		if !onDisk(t, w.dir, "old line") {
			t.Error("removed too early")
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if onDisk(t, w.dir, "old line") {
			t.Error("an expired line is on the disk")
		}
		w.ev.Close()
		cancel()
		synctest.Wait()
	})
}
