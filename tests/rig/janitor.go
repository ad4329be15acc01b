package rig

import (
	"io"
	"os/exec"
	"syscall"
)

// janitor ends the engines below a folder when this process ends without doing
// so itself (a test that ran out of time, an interrupt), and removes the folder.
const janitor = `cat >/dev/null
for home in "$2"/*/state; do [ -d "$home" ] && "$1" --home "$home" engine stop >/dev/null 2>&1; done
rm -rf "$2"`

// Janitor starts one for a folder whose subfolders are those of engines. It
// ends when this process does, or when done is called.
func Janitor(binary, folder string) (done func(), err error) {
	cmd := exec.Command("sh", "-c", janitor, "sh", binary, folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt is for us
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = in.(io.Closer).Close()
		_ = cmd.Wait()
	}, nil
}
