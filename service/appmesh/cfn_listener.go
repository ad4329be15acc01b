package appmesh

// What nodes and gateways share, as templates spell it: TLS, DNS, HTTP and the
// like in capitals.

type backendDefaults struct{ ClientPolicy *clientPolicy }

type clientPolicy struct{ TLS *clientTLS }

type clientTLS struct {
	Certificate *clientCertificate
	Enforce     *bool
	Ports       []int32
	Validation  *validation `cfn:"required"`
}

type clientCertificate struct {
	File *fileCertificate
	SDS  *sdsSecret
}

type fileCertificate struct {
	CertificateChain *string `cfn:"required"`
	PrivateKey       *string `cfn:"required"`
}

type sdsSecret struct {
	SecretName *string `cfn:"required"`
}

type acmCertificate struct {
	CertificateArn *string `cfn:"required"`
}

type validation struct {
	SubjectAlternativeNames *alternativeNames
	Trust                   *trust `cfn:"required"`
}

type trust struct {
	ACM  *acmTrust
	File *fileTrust
	SDS  *sdsSecret
}

type acmTrust struct {
	CertificateAuthorityArns []string `cfn:"required"`
}

type fileTrust struct {
	CertificateChain *string `cfn:"required"`
}

type alternativeNames struct {
	Match *nameMatchers `cfn:"required"`
}

type nameMatchers struct{ Exact []string }

type listenerTLS struct {
	Certificate *listenerCertificate `cfn:"required"`
	Mode        string               `cfn:"required"`
	Validation  *listenerValidation
}

type listenerCertificate struct {
	ACM  *acmCertificate
	File *fileCertificate
	SDS  *sdsSecret
}

type listenerValidation struct {
	SubjectAlternativeNames *alternativeNames
	Trust                   *listenerTrust `cfn:"required"`
}

type listenerTrust struct {
	File *fileTrust
	SDS  *sdsSecret
}

type healthCheck struct {
	HealthyThreshold   *int32 `cfn:"required"`
	IntervalMillis     *int64 `cfn:"required"`
	Path               *string
	Port               *int32
	Protocol           string `cfn:"required"`
	TimeoutMillis      *int64 `cfn:"required"`
	UnhealthyThreshold *int32 `cfn:"required"`
}

type httpPool struct {
	MaxConnections     *int32 `cfn:"required"`
	MaxPendingRequests *int32
}

type requestPool struct {
	MaxRequests *int32 `cfn:"required"`
}

type duration struct {
	Unit  string `cfn:"required"`
	Value *int64 `cfn:"required"`
}

type requestTimeout struct {
	Idle       *duration
	PerRequest *duration
}

type tcpTimeout struct{ Idle *duration }

type logging struct{ AccessLog *accessLog }

type accessLog struct{ File *fileLog }

type fileLog struct {
	Format *logFormat
	Path   *string `cfn:"required"`
}

type logFormat struct {
	Json []pair //nolint:revive // AWS's name
	Text *string
}

type pair struct {
	Key   *string `cfn:"required"`
	Value *string `cfn:"required"`
}
