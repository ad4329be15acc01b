package cli

import "github.com/spf13/cobra"

// more are the commands besides those of the life cycle.
func (a *app) more() []*cobra.Command {
	return []*cobra.Command{
		a.statusCommand(), a.psCommand(), a.logsCommand(), a.eventsCommand(), a.execCommand(), a.portForwardCommand(),
		a.diffCommand(), a.pushCommand(), a.restartCommand(), a.chaosCommand(), a.scaleCommand(), a.resetCommand(), a.rollbackCommand(), a.deploymentsCommand(), a.topCommand(), a.whyCommand(), a.meshCommand(),
		a.initCommand(), a.doctorCommand(), a.versionCommand(), a.imageCommand(),
	}
}
