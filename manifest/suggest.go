package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// habits are words people bring from other tools.
var habits = map[string]string{
	"replicas": "desired", "count": "desired", "instances": "desired", "environment": "env", "variables": "env", "envs": "env",
	"depends_on": "calls", "dependsOn": "calls", "backends": "calls", "links": "calls", "healthcheck": "health", "healthCheck": "health",
	"mem": "memory", "ram": "memory", "cpus": "cpu", "ports": "port", "path": "paths", "cmd": "command", "entrypoint": "entryPoint",
	"readonly": "readOnlyRoot", "read_only": "readOnlyRoot", "stop_grace_period": "stopTimeout", "package": "build", "alb": "loadBalancer",
	"loadbalancer": "loadBalancer", "vpc": "network", "retention": "logRetention", "private": "paths", "suffix": "environment", "env": "environment",
}

// suggest names the word that was probably meant, as (did you mean "..."?), or nothing.
func suggest(word string, allowed []string) string {
	if meant := habits[word]; slices.Contains(allowed, meant) {
		return fmt.Sprintf(" (did you mean %q?)", meant)
	}
	best, limit := "", 1+len(word)/4
	if len(word) > 64 {
		return ""
	}
	plain := strings.NewReplacer("_", "", "-", "").Replace(word) // per_try_timeout is perTryTimeout
	for _, candidate := range allowed {
		if strings.EqualFold(word, candidate) || strings.EqualFold(plain, candidate) || len(word) > 2 && strings.HasPrefix(candidate, word) {
			return fmt.Sprintf(" (did you mean %q?)", candidate)
		}
		if d := distance(word, candidate); d <= limit {
			best, limit = candidate, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range b {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
