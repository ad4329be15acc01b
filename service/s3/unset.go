package s3

import (
	"context"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// Settings that no bucket of this engine has. Reading them answers as AWS does
// for a bucket without; setting them is refused, but for what means none.

func (s *Service) unset(name *string, code, message string) error {
	b, err := find(s.Store.Snapshot(), val(name))
	if err != nil {
		return err
	}
	return fault(404, code, message, "BucketName", b.Name)
}

func (s *Service) there(name *string) error {
	_, err := find(s.Store.Snapshot(), val(name))
	return err
}

// refuse answers a setting that means something.
func (s *Service) refuse(name *string, means bool, what string) error {
	if err := s.there(name); err != nil || !means {
		return err
	}
	return errLater(what)
}

// GetBucketWebsite answers that the bucket is no website.
func (s *Service) GetBucketWebsite(_ context.Context, in *api.GetBucketWebsiteInput) (*api.GetBucketWebsiteOutput, error) {
	return nil, s.unset(in.Bucket, "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
}

// DeleteBucketWebsite has nothing to remove.
func (s *Service) DeleteBucketWebsite(_ context.Context, in *api.DeleteBucketWebsiteInput) (*api.DeleteBucketWebsiteOutput, error) {
	return nil, s.there(in.Bucket)
}

// GetBucketReplication answers that nothing is replicated.
func (s *Service) GetBucketReplication(_ context.Context, in *api.GetBucketReplicationInput) (*api.GetBucketReplicationOutput, error) {
	return nil, s.unset(in.Bucket, "ReplicationConfigurationNotFoundError", "The replication configuration was not found")
}

// DeleteBucketReplication has nothing to remove.
func (s *Service) DeleteBucketReplication(_ context.Context, in *api.DeleteBucketReplicationInput) (*api.DeleteBucketReplicationOutput, error) {
	return nil, s.there(in.Bucket)
}

// GetObjectLockConfiguration answers that objects are not locked.
func (s *Service) GetObjectLockConfiguration(_ context.Context, in *api.GetObjectLockConfigurationInput) (*api.GetObjectLockConfigurationOutput, error) {
	return nil, s.unset(in.Bucket, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")
}

// GetObjectRetention answers that the bucket has no object lock.
func (s *Service) GetObjectRetention(_ context.Context, in *api.GetObjectRetentionInput) (*api.GetObjectRetentionOutput, error) {
	if err := s.there(in.Bucket); err != nil {
		return nil, err
	}
	return nil, errRequest("Bucket is missing Object Lock Configuration")
}

// GetObjectLegalHold answers that the bucket has no object lock.
func (s *Service) GetObjectLegalHold(_ context.Context, in *api.GetObjectLegalHoldInput) (*api.GetObjectLegalHoldOutput, error) {
	if err := s.there(in.Bucket); err != nil {
		return nil, err
	}
	return nil, errRequest("Bucket is missing Object Lock Configuration")
}

// GetBucketLogging answers that accesses are not logged.
func (s *Service) GetBucketLogging(_ context.Context, in *api.GetBucketLoggingInput) (*api.GetBucketLoggingOutput, error) {
	return nil, s.there(in.Bucket)
}

// PutBucketLogging takes that accesses are not logged.
func (s *Service) PutBucketLogging(_ context.Context, in *api.PutBucketLoggingInput) (*api.PutBucketLoggingOutput, error) {
	return nil, s.refuse(in.Bucket, in.BucketLoggingStatus != nil && in.BucketLoggingStatus.LoggingEnabled != nil, "server access logging")
}

// GetBucketNotificationConfiguration answers that nobody is notified.
func (s *Service) GetBucketNotificationConfiguration(_ context.Context, in *api.GetBucketNotificationConfigurationInput) (*api.GetBucketNotificationConfigurationOutput, error) {
	return nil, s.there(in.Bucket)
}

// PutBucketNotificationConfiguration takes that nobody is notified.
func (s *Service) PutBucketNotificationConfiguration(_ context.Context, in *api.PutBucketNotificationConfigurationInput) (*api.PutBucketNotificationConfigurationOutput, error) {
	n := in.NotificationConfiguration
	means := n != nil && (len(n.TopicConfigurations)+len(n.QueueConfigurations)+len(n.LambdaFunctionConfigurations) > 0 || n.EventBridgeConfiguration != nil)
	return nil, s.refuse(in.Bucket, means, "event notifications")
}

// GetBucketRequestPayment answers that the owner pays.
func (s *Service) GetBucketRequestPayment(_ context.Context, in *api.GetBucketRequestPaymentInput) (*api.GetBucketRequestPaymentOutput, error) {
	return &api.GetBucketRequestPaymentOutput{Payer: api.PayerBucketOwner}, s.there(in.Bucket)
}

// PutBucketRequestPayment takes that the owner pays.
func (s *Service) PutBucketRequestPayment(_ context.Context, in *api.PutBucketRequestPaymentInput) (*api.PutBucketRequestPaymentOutput, error) {
	return nil, s.refuse(in.Bucket, in.RequestPaymentConfiguration != nil && in.RequestPaymentConfiguration.Payer != api.PayerBucketOwner, "requester pays")
}

// GetBucketAccelerateConfiguration answers that there is no acceleration.
func (s *Service) GetBucketAccelerateConfiguration(_ context.Context, in *api.GetBucketAccelerateConfigurationInput) (*api.GetBucketAccelerateConfigurationOutput, error) {
	return nil, s.there(in.Bucket)
}

// PutBucketAccelerateConfiguration takes that there is no acceleration.
func (s *Service) PutBucketAccelerateConfiguration(_ context.Context, in *api.PutBucketAccelerateConfigurationInput) (*api.PutBucketAccelerateConfigurationOutput, error) {
	return nil, s.refuse(in.Bucket, in.AccelerateConfiguration != nil && in.AccelerateConfiguration.Status == "Enabled", "transfer acceleration")
}
