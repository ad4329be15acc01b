package manifest

// Network is the VPC: one public and one private subnet a zone.
type Network struct {
	CIDR      string   `yaml:"cidr" default:"10.0.0.0/16" doc:"Address range, /16 to /24; subnets get eight bits more, public ones first."`
	Zones     int      `yaml:"zones" default:"3" min:"2" max:"6" doc:"Availability zones."`
	NAT       string   `yaml:"nat" default:"single" enum:"single|zone|none" doc:"NAT gateways: a single one, one in every zone, or none."`
	Endpoints []string `yaml:"endpoints" default:"s3|dynamodb|ecr.api|ecr.dkr|logs" items:"s3|dynamodb|ecr.api|ecr.dkr|logs|monitoring|secretsmanager|kms|ssm|ssmmessages|sts|ecs|ecs-agent|ecs-telemetry|sqs|sns|events|xray" doc:"AWS services reached without leaving the VPC; s3 and dynamodb through gateway endpoints."`
}

// Cluster is the ECS cluster.
type Cluster struct {
	Insights bool     `yaml:"insights" default:"true" doc:"Container Insights."`
	Spot     Capacity `yaml:"spot" doc:"Share of FARGATE_SPOT."`
	OnDemand Capacity `yaml:"onDemand" doc:"Share of FARGATE; a weight here is the fallback when no spot capacity is left."`
}

// Capacity is one provider's share in the strategy of every service.
type Capacity struct {
	Base   int `yaml:"base" min:"0" max:"100000" doc:"Tasks placed here before the weights count; only one provider may have a base."`
	Weight int `yaml:"weight" min:"0" max:"1000" doc:"Share of the remaining tasks; 0 places none."`
}

// LoadBalancer is the application load balancer.
type LoadBalancer struct {
	Internal    bool     `yaml:"internal" doc:"Place it in the private subnets, not reachable from the internet."`
	Port        int      `yaml:"port" default:"80" min:"1" max:"65535" doc:"Port of the HTTP listener."`
	Allow       []string `yaml:"allow" default:"0.0.0.0/0" doc:"Address ranges that may connect."`
	IdleTimeout Duration `yaml:"idleTimeout" default:"60s" range:"1s..4000s" doc:"Time a connection may be idle."`
	HTTPS       HTTPS    `yaml:"https" doc:"HTTPS listener; with it the HTTP listener only redirects."`
}

// HTTPS is the optional TLS listener; without a certificate there is none.
type HTTPS struct {
	Certificate string `yaml:"certificate" pattern:"arn:aws[a-z-]*:(acm|iam):.+" say:"the ARN of a certificate in ACM or IAM, arn:aws:acm:..." doc:"ARN of the certificate (ACM or IAM)."`
	Port        int    `yaml:"port" default:"443" min:"1" max:"65535" doc:"Port of the listener."`
	Policy      string `yaml:"policy" default:"ELBSecurityPolicy-TLS13-1-2-2021-06" doc:"Security policy: TLS versions and ciphers."`
}
