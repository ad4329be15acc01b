package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/images"
)

func (a *app) imageCommand() *cobra.Command {
	var output, push, tag string
	cmd := &cobra.Command{
		Use: "image", Short: "Make a container image of the engine itself, without Docker", Args: cobra.NoArgs,
		Long: "Make a container image of this engine: this program, the sidecar beside it, and runc of this machine. It is written as an archive that docker load takes, or pushed.\n" +
			"The engine makes namespaces, so its container has to be privileged, also with --simulated.",
		Example: "  slipway image --output slipway.tar && docker load -i slipway.tar\n" +
			"  docker run --privileged -p 127.0.0.1:4566:4566 slipway:latest engine run --api 0.0.0.0:4566 --address 0.0.0.0 --auth any --simulated",
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "archive to write")
	cmd.Flags().StringVar(&push, "push", "", "repository and tag to push to, with the credentials of docker login")
	cmd.Flags().StringVar(&tag, "tag", "slipway:latest", "name of the image in the archive")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if (output == "") == (push == "") {
			return usage("say where the image goes: --output FILE, or --push REPOSITORY:TAG")
		}
		began := time.Now()
		binary, err := os.Executable()
		if err != nil {
			return err
		}
		runc, err := exec.LookPath("runc")
		if err != nil {
			return fmt.Errorf("runc, which the image has too, is not installed; install it with: apt-get install runc")
		}
		image, err := images.Engine(Version, map[string]string{
			"/usr/bin/slipway": binary, "/usr/bin/slipway-proxy": filepath.Join(filepath.Dir(binary), "slipway-proxy"), "/usr/sbin/runc": runc,
		})
		if err != nil {
			return err
		}
		if push != "" {
			ref, err := name.NewTag(push)
			if err != nil {
				return usage("--push: %v", err)
			}
			if err := remote.Write(ref, image, remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithContext(cmd.Context())); err != nil {
				return fmt.Errorf("push the image: %w", err)
			}
			a.step("image pushed to "+ref.Name(), began)
			return nil
		}
		ref, err := name.NewTag(tag)
		if err != nil {
			return usage("--tag: %v", err)
		}
		if err := tarball.WriteToFile(output, ref, image); err != nil {
			return fmt.Errorf("write the image: %w", err)
		}
		a.step("image "+tag+" in "+output, began)
		return nil
	}
	return cmd
}
