package engine

import (
	"fmt"
	"path/filepath"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// Credentials tell a client of this machine how to reach the engine. They
// are written to credentials.json with mode 0600.
type Credentials struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	Account   string `json:"account"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// ensureRoot makes the root credentials at the first start, and writes the
// file for clients at every one.
func ensureRoot(s *store.Store, set Settings, dir string) (Credentials, error) {
	c := Credentials{Endpoint: "http://" + clientAddress(set.API), Region: set.Region, Account: set.Account}
	err := s.Update(func(tx *store.Tx) error {
		c.AccessKey, c.SecretKey = iam.EnsureRoot(tx, set.Account)
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("root credentials: %w", err)
	}
	return c, writeFile(filepath.Join(dir, credentialsFile), c)
}

// credentials looks access keys up for the API.
func credentials(s *store.Store) func(string) (awsapi.Credential, bool) { return iam.Credentials(s) }
