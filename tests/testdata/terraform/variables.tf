variable "environment" {
  type    = string
  default = "dev"
}

variable "desired" {
  description = "tasks of each service"
  type        = number
  default     = 1
}

variable "release" {
  description = "told to the tasks, and by a tag"
  type        = string
  default     = "one"
}

variable "admin_cidr" {
  description = "may reach the load balancer's port 8443 as well"
  type        = string
  default     = "10.0.0.0/8"
}

variable "group_port" {
  description = "of the target groups, which a change replaces; tasks bring their own"
  type        = number
  default     = 80
}
