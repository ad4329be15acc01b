package ecr

import (
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// API lists the operations for the endpoint.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("ecr")
	awsapi.Handle(a, "GetAuthorizationToken", s.GetAuthorizationToken)
	awsapi.Handle(a, "CreateRepository", s.CreateRepository)
	awsapi.Handle(a, "DescribeRepositories", s.DescribeRepositories)
	awsapi.Handle(a, "DeleteRepository", s.DeleteRepository)
	awsapi.Handle(a, "DescribeRegistry", s.DescribeRegistry)
	awsapi.Handle(a, "PutImageTagMutability", s.PutImageTagMutability)
	awsapi.Handle(a, "PutImageScanningConfiguration", s.PutImageScanningConfiguration)
	awsapi.Handle(a, "SetRepositoryPolicy", s.SetRepositoryPolicy)
	awsapi.Handle(a, "GetRepositoryPolicy", s.GetRepositoryPolicy)
	awsapi.Handle(a, "DeleteRepositoryPolicy", s.DeleteRepositoryPolicy)
	awsapi.Handle(a, "PutLifecyclePolicy", s.PutLifecyclePolicy)
	awsapi.Handle(a, "GetLifecyclePolicy", s.GetLifecyclePolicy)
	awsapi.Handle(a, "DeleteLifecyclePolicy", s.DeleteLifecyclePolicy)
	awsapi.Handle(a, "TagResource", s.TagResource)
	awsapi.Handle(a, "UntagResource", s.UntagResource)
	awsapi.Handle(a, "ListTagsForResource", s.ListTagsForResource)
	awsapi.Handle(a, "DescribeImages", s.DescribeImages)
	awsapi.Handle(a, "ListImages", s.ListImages)
	awsapi.Handle(a, "BatchGetImage", s.BatchGetImage)
	awsapi.Handle(a, "BatchDeleteImage", s.BatchDeleteImage)
	awsapi.Handle(a, "PutImage", s.PutImage)
	awsapi.Handle(a, "InitiateLayerUpload", s.InitiateLayerUpload)
	awsapi.Handle(a, "UploadLayerPart", s.UploadLayerPart)
	awsapi.Handle(a, "CompleteLayerUpload", s.CompleteLayerUpload)
	awsapi.Handle(a, "BatchCheckLayerAvailability", s.BatchCheckLayerAvailability)
	awsapi.Handle(a, "GetDownloadUrlForLayer", s.GetDownloadUrlForLayer)
	return a
}

// Resources lists the CloudFormation resource types.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{cfn.Of("AWS::ECR::Repository", repositories{s})}
}
