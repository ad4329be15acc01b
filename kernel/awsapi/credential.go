package awsapi

import "time"

// Credential is what the engine knows of an access key.
type Credential struct {
	AccessKey    string
	SecretKey    string
	SessionToken string    // must come with the request when not empty
	Expires      time.Time // zero: never
	Account      string
	ARN          string // of the principal
	UserID       string
}
