package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Nobody is the ordinary user of rootless stories. It has no subordinate ids
// on most machines, so each of its commands runs in a mount namespace in which
// /etc/subuid and /etc/subgid give it a range; the machine's own stay as they are.
const Nobody = 65534

const subordinate = "nobody:100000:65536\n"

// asNobody is the command line that runs another one as Nobody. Folder has to
// be readable for Nobody.
func asNobody(folder string, argv []string) ([]string, error) {
	for _, name := range []string{"subuid", "subgid"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(subordinate), 0o644); err != nil {
			return nil, err
		}
	}
	script := fmt.Sprintf(`mount --bind '%s/subuid' /etc/subuid && mount --bind '%s/subgid' /etc/subgid && exec "$@"`, folder, folder)
	id := strconv.Itoa(Nobody)
	return append([]string{
		"unshare", "--mount", "sh", "-c", script, "sh",
		"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--",
	}, argv...), nil
}
