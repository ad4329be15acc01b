package agent

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	containers "github.com/slipway-dev/slipway/node/runtime"
)

// usage is a reading of a container and of the machine's processors.
type usage struct {
	stats  containers.Stats
	system time.Duration // processor time since boot, all processors together
}

// stats answers as Docker's API does, which the metadata endpoint passes on
// ("docker stats", API 1.41). The values before are those of the last
// question, so that the difference of two makes a rate. A container that does
// not run has null.
func (m *metadata) stats(ctx context.Context, w asker, i int) any {
	id := containerID(w.task, i)
	s, err := m.agent.cfg.Driver.Stats(ctx, id)
	if err != nil {
		return nil
	}
	now := usage{s, systemTime()}
	m.mu.Lock()
	before := m.before[id]
	m.before[id] = now
	m.mu.Unlock()

	type object = map[string]any
	networks, rates := object{}, object{"rx_bytes_per_sec": 0.0, "tx_bytes_per_sec": 0.0}
	var rx, tx, oldRx, oldTx int64
	for name, n := range s.Networks {
		networks[name] = object{
			"rx_bytes": n.RxBytes, "rx_packets": n.RxPackets, "rx_errors": n.RxErrors, "rx_dropped": n.RxDropped,
			"tx_bytes": n.TxBytes, "tx_packets": n.TxPackets, "tx_errors": n.TxErrors, "tx_dropped": n.TxDropped,
		}
		rx, tx = rx+n.RxBytes, tx+n.TxBytes
		oldRx, oldTx = oldRx+before.stats.Networks[name].RxBytes, oldTx+before.stats.Networks[name].TxBytes
	}
	if span := s.Read.Sub(before.stats.Read).Seconds(); !before.stats.Read.IsZero() && span > 0 {
		rates["rx_bytes_per_sec"], rates["tx_bytes_per_sec"] = float64(rx-oldRx)/span, float64(tx-oldTx)/span
	}
	memory := object{"usage": s.Memory, "max_usage": s.MemoryPeak, "stats": object{"total_inactive_file": s.MemoryCache, "inactive_file": s.MemoryCache}}
	if s.MemoryLimit > 0 {
		memory["limit"] = s.MemoryLimit
	}
	return object{
		"read": s.Read.UTC(), "preread": before.stats.Read.UTC(), "id": id, "name": w.task.Containers[i].Name,
		"num_procs": 0, "pids_stats": object{"current": s.Processes}, "storage_stats": object{},
		"blkio_stats": object{"io_service_bytes_recursive": []object{
			{"major": 0, "minor": 0, "op": "Read", "value": s.BlockRead}, {"major": 0, "minor": 0, "op": "Write", "value": s.BlockWrite},
		}},
		"cpu_stats": cpuStats(now), "precpu_stats": cpuStats(before),
		"memory_stats": memory, "networks": networks, "network_rate_stats": rates,
	}
}

func cpuStats(u usage) map[string]any {
	return map[string]any{
		"cpu_usage":        map[string]any{"total_usage": int64(u.stats.CPU), "usage_in_kernelmode": 0, "usage_in_usermode": int64(u.stats.CPU)},
		"system_cpu_usage": int64(u.system), "online_cpus": runtime.NumCPU(),
		"throttling_data": map[string]any{"periods": 0, "throttled_periods": 0, "throttled_time": int64(u.stats.Throttled)},
	}
}

// systemTime adds up the first line of /proc/stat, in hundredths of a second.
func systemTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var total time.Duration
	for i, f := range strings.Fields(line) {
		if i == 0 || i > 8 { // the name; guest time is in user time already
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		total += time.Duration(n) * time.Second / 100
	}
	return total
}
