package ecs

import (
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// ofSecretsManager says whether a secret is not a parameter of SSM.
func ofSecretsManager(s ecsapi.Secret) bool {
	return strings.HasPrefix(value(s.ValueFrom), "arn:aws:secretsmanager:")
}

// checkSecrets checks where the secrets of a container come from, and that
// they take no variable's place.
func checkSecrets(d *ecsapi.TaskDefinition, c ecsapi.ContainerDefinition) error {
	if len(c.Secrets) > 0 && value(d.ExecutionRoleArn) == "" {
		return errClient("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
	}
	seen := map[string]bool{}
	for _, s := range c.Secrets {
		name, from := value(s.Name), value(s.ValueFrom)
		taken := slices.ContainsFunc(c.Environment, func(kv ecsapi.KeyValuePair) bool { return value(kv.Name) == name })
		switch {
		case name == "" || from == "":
			return errClient("Secret name and valueFrom should not be null or empty.")
		case taken || seen[name]:
			return errClient("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", name)
		case strings.HasPrefix(from, "arn:") && !ofSecretsManager(s) && !(strings.HasPrefix(from, "arn:aws:ssm:") && strings.Contains(from, ":parameter/")):
			return errClient("Invalid 'valueFrom' of secret '%s': it is the name or ARN of a parameter.", name)
		}
		seen[name] = true
	}
	return nil
}
