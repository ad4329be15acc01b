package ecs

import (
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// refusal is a thing that a request may ask for and that would be passed over
// in silence if it were taken: what Fargate does not have, in its words, and
// what this engine does not have yet.
type refusal struct {
	asked bool
	why   string
}

func firstOf(refusals []refusal) string {
	for _, r := range refusals {
		if r.asked {
			return r.why
		}
	}
	return ""
}

// notYet words what AWS has and this engine has not.
func notYet(what string) string { return what + " is not supported by this engine yet." }

// checkSupported refuses a task definition that asks for what no task gets.
func checkSupported(d *ecsapi.TaskDefinition) error {
	platform := value(d.RuntimePlatform)
	why := firstOf([]refusal{
		{d.PidMode == "host", "Fargate does not support pidMode host."},
		{d.PidMode != "", notYet("pidMode " + string(d.PidMode))},
		{d.IpcMode != "", "Fargate does not support ipcMode."},
		{value(d.EnableFaultInjection), notYet("enableFaultInjection")},
		{len(d.InferenceAccelerators) > 0, "Fargate does not support inferenceAccelerators."},
		{len(d.PlacementConstraints) > 0, "Fargate does not support placementConstraints."},
		{strings.HasPrefix(string(platform.OperatingSystemFamily), "WINDOWS"), notYet("operatingSystemFamily " + string(platform.OperatingSystemFamily))},
	})
	for _, v := range d.Volumes {
		if why == "" {
			why = unsupportedVolume(v)
		}
	}
	for _, c := range d.ContainerDefinitions {
		if why == "" {
			why = unsupportedContainer(c)
		}
	}
	if why != "" {
		return errClient("%s", why)
	}
	return nil
}

func unsupportedVolume(v ecsapi.Volume) string {
	in := func(kind string) string { return notYet(kind + " of volume '" + value(v.Name) + "'") }
	return firstOf([]refusal{
		{value(v.Host).SourcePath != nil, "host.sourcePath should not be set for volumes in Fargate."},
		{v.DockerVolumeConfiguration != nil, "Fargate does not support dockerVolumeConfiguration."},
		{v.EfsVolumeConfiguration != nil, in("efsVolumeConfiguration")},
		{v.S3filesVolumeConfiguration != nil, in("s3filesVolumeConfiguration")},
		{v.FsxWindowsFileServerVolumeConfiguration != nil, in("fsxWindowsFileServerVolumeConfiguration")},
		{value(v.ConfiguredAtLaunch), in("configuredAtLaunch")},
	})
}

func unsupportedContainer(c ecsapi.ContainerDefinition) string {
	of := func(what string) string { return what + " of container '" + value(c.Name) + "'" }
	linux, log := value(c.LinuxParameters), value(c.LogConfiguration)
	return firstOf([]refusal{
		{len(c.Links) > 0, "Links are not supported when networkMode=awsvpc."},
		{len(c.ExtraHosts) > 0, "Extra hosts are not supported on container when networkMode=awsvpc."},
		{len(c.DnsServers) > 0, "DNS servers are not supported on container when networkMode=awsvpc."},
		{len(c.DnsSearchDomains) > 0, "DNS search domains are not supported on container when networkMode=awsvpc."},
		{value(c.DisableNetworking), "Disable networking is not supported on container when networkMode=awsvpc."},
		{len(c.DockerSecurityOptions) > 0, "Fargate does not support " + of("dockerSecurityOptions") + "."},
		{len(c.ResourceRequirements) > 0, "Fargate does not support " + of("resourceRequirements") + "."},
		{len(linux.Devices) > 0, "Fargate does not support " + of("linuxParameters.devices") + "."},
		{linux.SharedMemorySize != nil, "Fargate does not support " + of("linuxParameters.sharedMemorySize") + "."},
		{linux.MaxSwap != nil || linux.Swappiness != nil, "Fargate does not support " + of("linuxParameters.maxSwap and swappiness") + "."},
		{len(log.SecretOptions) > 0, notYet(of("logConfiguration.secretOptions"))},
		{slices.ContainsFunc(c.Secrets, ofSecretsManager), notYet(of("secrets from Secrets Manager"))},
		{len(c.EnvironmentFiles) > 0, notYet(of("environmentFiles"))},
		{c.RepositoryCredentials != nil, notYet(of("repositoryCredentials"))},
		{c.FirelensConfiguration != nil, notYet(of("firelensConfiguration"))},
		{len(c.VolumesFrom) > 0, notYet(of("volumesFrom"))},
		{len(c.CredentialSpecs) > 0, notYet(of("credentialSpecs"))},
		{value(value(c.RestartPolicy).Enabled), notYet(of("restartPolicy"))},
		{c.LogConfiguration != nil && log.LogDriver != "awslogs", notYet(of("log driver " + string(log.LogDriver)))},
	})
}

// errUnsupported refuses a part of a request; why empty is no error.
func errUnsupported(why string) error {
	if why == "" {
		return nil
	}
	return awsapi.Errorf("UnsupportedFeatureException", 400, "%s", why)
}

// checkServiceSupported refuses what would make a service other than it says.
func checkServiceSupported(connect *ecsapi.ServiceConnectConfiguration, volumes []ecsapi.ServiceVolumeConfiguration, lattice []ecsapi.VpcLatticeConfiguration) error {
	return errUnsupported(firstOf([]refusal{
		{value(value(connect).Enabled), notYet("Service Connect")},
		{len(volumes) > 0, notYet("volumeConfigurations")},
		{len(lattice) > 0, notYet("vpcLatticeConfigurations")},
	}))
}
