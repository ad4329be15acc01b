package iam

import (
	"context"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Users have access keys here and no other credentials: the operations that
// make passwords, devices, certificates and SSH keys are not implemented. To
// list them is answered truthfully with nothing, as Terraform and scripts ask
// for all of them before they delete a user.

// absent registers an operation that asks for such credentials of a user.
func absent[I, O any](s *Service, a *awsapi.Service, op string, user func(*I) *string, answer func() *O) {
	awsapi.Handle(a, op, func(ctx context.Context, in *I) (*O, error) {
		if name := user(in); name != nil {
			if _, err := principal(s.store.Snapshot(), account(ctx), User, *name); err != nil {
				return nil, err
			}
		}
		return answer(), nil
	})
}

func (s *Service) absents(a *awsapi.Service) {
	absent(s, a, "ListMFADevices", func(in *api.ListMFADevicesInput) *string { return in.UserName },
		func() *api.ListMFADevicesOutput {
			return &api.ListMFADevicesOutput{MFADevices: []api.MFADevice{}, IsTruncated: new(false)}
		})
	absent(s, a, "ListVirtualMFADevices", func(*api.ListVirtualMFADevicesInput) *string { return nil },
		func() *api.ListVirtualMFADevicesOutput {
			return &api.ListVirtualMFADevicesOutput{VirtualMFADevices: []api.VirtualMFADevice{}, IsTruncated: new(false)}
		})
	absent(s, a, "ListSigningCertificates", func(in *api.ListSigningCertificatesInput) *string { return in.UserName },
		func() *api.ListSigningCertificatesOutput {
			return &api.ListSigningCertificatesOutput{Certificates: []api.SigningCertificate{}, IsTruncated: new(false)}
		})
	absent(s, a, "ListSSHPublicKeys", func(in *api.ListSSHPublicKeysInput) *string { return in.UserName },
		func() *api.ListSSHPublicKeysOutput {
			return &api.ListSSHPublicKeysOutput{SSHPublicKeys: []api.SSHPublicKeyMetadata{}, IsTruncated: new(false)}
		})
	absent(s, a, "ListServiceSpecificCredentials", func(in *api.ListServiceSpecificCredentialsInput) *string { return in.UserName },
		func() *api.ListServiceSpecificCredentialsOutput {
			return &api.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []api.ServiceSpecificCredentialMetadata{}}
		})
	awsapi.Handle(a, "GetLoginProfile", func(ctx context.Context, in *api.GetLoginProfileInput) (*api.GetLoginProfileOutput, error) {
		return nil, s.errNoPassword(ctx, in.UserName)
	})
	awsapi.Handle(a, "DeleteLoginProfile", func(ctx context.Context, in *api.DeleteLoginProfileInput) (*api.DeleteLoginProfileOutput, error) {
		return nil, s.errNoPassword(ctx, in.UserName)
	})
}

// errNoPassword answers that a user has no login profile, or is none.
func (s *Service) errNoPassword(ctx context.Context, user *string) error {
	if user == nil {
		return awsapi.Errorf("NoSuchEntity", 0, "Login Profile cannot be found.")
	}
	if _, err := principal(s.store.Snapshot(), account(ctx), User, *user); err != nil {
		return err
	}
	return awsapi.Errorf("NoSuchEntity", 0, "Login Profile for User %s cannot be found.", *user)
}
