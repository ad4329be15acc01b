package s3

import (
	"context"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// PutBucketVersioning switches versioning on, or suspends it.
func (s *Service) PutBucketVersioning(_ context.Context, in *api.PutBucketVersioningInput) (*api.PutBucketVersioningOutput, error) {
	v := in.VersioningConfiguration
	if v == nil || v.Status != "Enabled" && v.Status != "Suspended" {
		return nil, fault(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified")
	}
	if v.MFADelete == "Enabled" {
		return nil, errLater("MFA delete")
	}
	return &api.PutBucketVersioningOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Versioning = string(v.Status)
		return nil
	})
}

// GetBucketVersioning tells whether versioning is on; nothing when it never was.
func (s *Service) GetBucketVersioning(_ context.Context, in *api.GetBucketVersioningInput) (*api.GetBucketVersioningOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	return &api.GetBucketVersioningOutput{Status: api.BucketVersioningStatus(b.Versioning)}, nil
}

// PutBucketEncryption says how objects are encrypted that ask for nothing.
func (s *Service) PutBucketEncryption(ctx context.Context, in *api.PutBucketEncryptionInput) (*api.PutBucketEncryptionOutput, error) {
	e, err := encryptionIn(in)
	if err != nil {
		return nil, err
	}
	return &api.PutBucketEncryptionOutput{}, s.change(in.Bucket, func(b *Bucket) error { return s.encrypt(ctx, b, e) })
}

// encryptionIn reads what a request asks for.
func encryptionIn(in *api.PutBucketEncryptionInput) (e Encryption, err error) {
	conf := in.ServerSideEncryptionConfiguration
	if conf == nil || len(conf.Rules) != 1 || conf.Rules[0].ApplyServerSideEncryptionByDefault == nil {
		return e, errXML()
	}
	r := conf.Rules[0]
	if t := r.BlockedEncryptionTypes; t != nil && len(t.EncryptionType) > 0 && (len(t.EncryptionType) > 1 || t.EncryptionType[0] != "NONE" && t.EncryptionType[0] != "SSE-C") {
		return e, errXML()
	}
	def := r.ApplyServerSideEncryptionByDefault
	return Encryption{Algorithm: string(def.SSEAlgorithm), Key: val(def.KMSMasterKeyID), BucketKey: val(r.BucketKeyEnabled)}, nil
}

// encrypt gives a bucket its encryption, whose key has to be there.
func (s *Service) encrypt(ctx context.Context, b *Bucket, e Encryption) error {
	if e.Algorithm == "AES256" && e.Key != "" {
		return errArgument("KMSMasterKeyID", e.Key, "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
	}
	if e.Key != "" {
		if _, err := s.resolved(ctx, *b, e); err != nil {
			return err
		}
	}
	b.Encryption = e
	return nil
}

// GetBucketEncryption tells how objects are encrypted.
func (s *Service) GetBucketEncryption(_ context.Context, in *api.GetBucketEncryptionInput) (*api.GetBucketEncryptionOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	e := b.Encryption
	return &api.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{Rules: []api.ServerSideEncryptionRule{{
		ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: api.ServerSideEncryption(e.Algorithm), KMSMasterKeyID: opt(e.Key)},
		BucketKeyEnabled:                   &e.BucketKey,
	}}}}, nil
}

// DeleteBucketEncryption goes back to AES256.
func (s *Service) DeleteBucketEncryption(_ context.Context, in *api.DeleteBucketEncryptionInput) (*api.DeleteBucketEncryptionOutput, error) {
	return &api.DeleteBucketEncryptionOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Encryption = Encryption{Algorithm: "AES256"}
		return nil
	})
}

// PutPublicAccessBlock sets the block on public access; what is left out is off.
func (s *Service) PutPublicAccessBlock(_ context.Context, in *api.PutPublicAccessBlockInput) (*api.PutPublicAccessBlockOutput, error) {
	c := in.PublicAccessBlockConfiguration
	if c == nil {
		return nil, errXML()
	}
	return &api.PutPublicAccessBlockOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.PublicAccess = &PublicAccess{val(c.BlockPublicAcls), val(c.IgnorePublicAcls), val(c.BlockPublicPolicy), val(c.RestrictPublicBuckets)}
		return nil
	})
}

// GetPublicAccessBlock tells the block on public access; none is an error.
func (s *Service) GetPublicAccessBlock(_ context.Context, in *api.GetPublicAccessBlockInput) (*api.GetPublicAccessBlockOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	p := b.PublicAccess
	if p == nil {
		return nil, fault(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", "BucketName", b.Name)
	}
	return &api.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: &api.PublicAccessBlockConfiguration{
		BlockPublicAcls: &p.BlockACLs, IgnorePublicAcls: &p.IgnoreACLs, BlockPublicPolicy: &p.BlockPolicy, RestrictPublicBuckets: &p.Restrict,
	}}, nil
}

// DeletePublicAccessBlock removes the block.
func (s *Service) DeletePublicAccessBlock(_ context.Context, in *api.DeletePublicAccessBlockInput) (*api.DeletePublicAccessBlockOutput, error) {
	return &api.DeletePublicAccessBlockOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.PublicAccess = nil
		return nil
	})
}

// PutBucketOwnershipControls says whose the objects of a bucket are, and with
// that whether it has ACLs.
func (s *Service) PutBucketOwnershipControls(_ context.Context, in *api.PutBucketOwnershipControlsInput) (*api.PutBucketOwnershipControlsOutput, error) {
	if in.OwnershipControls == nil || len(in.OwnershipControls.Rules) != 1 {
		return nil, errXML()
	}
	own := string(in.OwnershipControls.Rules[0].ObjectOwnership)
	return &api.PutBucketOwnershipControlsOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		if own == "BucketOwnerEnforced" && public(b.ACL) {
			return fault(400, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
		}
		b.Ownership = own
		return nil
	})
}

// GetBucketOwnershipControls tells whose the objects are; nothing is an error.
func (s *Service) GetBucketOwnershipControls(_ context.Context, in *api.GetBucketOwnershipControlsInput) (*api.GetBucketOwnershipControlsOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Ownership == "" {
		return nil, fault(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", "BucketName", b.Name)
	}
	return &api.GetBucketOwnershipControlsOutput{OwnershipControls: &api.OwnershipControls{
		Rules: []api.OwnershipControlsRule{{ObjectOwnership: api.ObjectOwnership(b.Ownership)}},
	}}, nil
}

// DeleteBucketOwnershipControls leaves objects to who puts them.
func (s *Service) DeleteBucketOwnershipControls(_ context.Context, in *api.DeleteBucketOwnershipControlsInput) (*api.DeleteBucketOwnershipControlsOutput, error) {
	return &api.DeleteBucketOwnershipControlsOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Ownership = ""
		return nil
	})
}
