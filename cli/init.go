package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [NAME]", Short: "Write a first slipway.yaml", Args: cobra.MaximumNArgs(1),
		Long: "Write a commented slipway.yaml with one service for a platform called NAME, by default as the folder it stands in. A file that is there is never overwritten.",
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := filepath.Abs(a.file)
			if err != nil {
				return err
			}
			name := filepath.Base(filepath.Dir(path))
			if len(args) > 0 {
				name = args[0]
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return usage("%s exists; it is left as it is", a.file)
			}
			if err != nil {
				return fmt.Errorf("write the manifest: %w", err)
			}
			_, err = f.WriteString(manifest.Scaffold(name))
			if err := errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("write %s: %w", a.file, err)
			}
			if a.json {
				return a.print(map[string]string{"manifest": path})
			}
			fmt.Fprintf(a.out, "%s written; say in it what to build, then: slipway up\n", a.file)
			return nil
		},
	}
}
