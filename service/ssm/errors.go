package ssm

import "github.com/slipway-dev/slipway/kernel/awsapi"

// Texts are AWS's, as observed or from the Systems Manager API reference.

func fault(code, format string, args ...any) error { return awsapi.Errorf(code, 400, format, args...) }

func invalid(format string, args ...any) error { return fault("ValidationException", format, args...) }

func errNotFound(name string) error {
	return fault("ParameterNotFound", "Parameter %s not found.", name)
}

func errVersionNotFound(name, selector string, number bool) error {
	if number {
		return fault("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
	}
	return fault("ParameterVersionNotFound", "Systems Manager could not find label %s for parameter %s. Verify the label and try again.", selector, name)
}

var (
	errExists = awsapi.Errorf("ParameterAlreadyExists", 400,
		"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	errTypeChange = awsapi.Errorf("HierarchyTypeMismatchException", 400,
		"Parameter Store does not support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
	errLevels = awsapi.Errorf("HierarchyLevelLimitExceededException", 400,
		"A hierarchy can have a maximum of 15 levels. For more information, see Requirements and constraints for parameter names in the AWS Systems Manager User Guide.")
	errTagsAndOverwrite = awsapi.Errorf("ValidationException", 400,
		"Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	errTooLong = awsapi.Errorf("ValidationException", 400,
		"Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
	errTooLongAdvanced = awsapi.Errorf("ValidationException", 400, "Advanced tier parameters support a maximum parameter value of 8192 characters.")
	errDowngrade       = awsapi.Errorf("ValidationException", 400,
		"This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	errPath = awsapi.Errorf("ValidationException", 400,
		"The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	errLabels = awsapi.Errorf("ParameterVersionLabelLimitExceeded", 400,
		"A parameter version can have maximum 10 labels.Move one or more labels to another version and try again.")
	errTooManyTags = awsapi.Errorf("TooManyTagsError", 400, "The number of tags exceeds the limit of 50 tags for a resource.")
)

func errMaxVersions(name string, oldest int64) error {
	return fault("ParameterMaxVersionLimitExceeded",
		"You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.",
		name, oldest)
}

func errPattern(pattern string) error {
	return fault("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", pattern)
}

func errNotYet(what string) error { return invalid("%s is not supported by this engine yet.", what) }
