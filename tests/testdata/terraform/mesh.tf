resource "aws_appmesh_mesh" "main" {
  name = "microservices-mesh-${var.environment}"
  spec {
    egress_filter {
      type = "DROP_ALL"
    }
  }
}

resource "aws_appmesh_virtual_node" "service" {
  for_each  = local.services
  name      = "${each.key}-node-${var.environment}"
  mesh_name = aws_appmesh_mesh.main.name
  spec {
    listener {
      port_mapping {
        port     = each.value.port
        protocol = "http"
      }
      health_check {
        protocol            = "http"
        path                = "/health"
        interval_millis     = 30000
        timeout_millis      = 5000
        healthy_threshold   = 2
        unhealthy_threshold = 3
      }
      outlier_detection {
        max_server_errors    = 5
        max_ejection_percent = 50
        base_ejection_duration {
          unit  = "s"
          value = 30
        }
        interval {
          unit  = "s"
          value = 10
        }
      }
      timeout {
        http {
          per_request {
            unit  = "s"
            value = 15
          }
        }
      }
    }
    dynamic "backend" {
      for_each = each.value.calls
      content {
        virtual_service {
          virtual_service_name = "${backend.value}.${var.environment}.local"
        }
      }
    }
    service_discovery {
      aws_cloud_map {
        namespace_name = aws_service_discovery_private_dns_namespace.main.name
        service_name   = aws_service_discovery_service.service[each.key].name
      }
    }
    logging {
      access_log {
        file {
          path = "/dev/stdout"
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_router" "service" {
  for_each  = local.services
  name      = "${each.key}-router-${var.environment}"
  mesh_name = aws_appmesh_mesh.main.name
  spec {
    listener {
      port_mapping {
        port     = each.value.port
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_route" "service" {
  for_each            = local.services
  name                = "${each.key}-route"
  mesh_name           = aws_appmesh_mesh.main.name
  virtual_router_name = aws_appmesh_virtual_router.service[each.key].name
  spec {
    http_route {
      match {
        prefix = "/"
      }
      retry_policy {
        http_retry_events = ["server-error", "gateway-error"]
        tcp_retry_events  = ["connection-error"]
        max_retries       = 2
        per_retry_timeout {
          unit  = "s"
          value = 5
        }
      }
      timeout {
        per_request {
          unit  = "s"
          value = 15
        }
      }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.service[each.key].name
          weight       = 100
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "service" {
  for_each  = local.services
  name      = "${each.key}.${var.environment}.local"
  mesh_name = aws_appmesh_mesh.main.name
  spec {
    provider {
      virtual_router {
        virtual_router_name = aws_appmesh_virtual_router.service[each.key].name
      }
    }
  }
}

resource "aws_appmesh_virtual_gateway" "edge" {
  name      = "edge-${var.environment}"
  mesh_name = aws_appmesh_mesh.main.name
  spec {
    listener {
      port_mapping {
        port     = 8088
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_gateway_route" "order" {
  name                 = "order"
  mesh_name            = aws_appmesh_mesh.main.name
  virtual_gateway_name = aws_appmesh_virtual_gateway.edge.name
  spec {
    http_route {
      match {
        prefix = "/order"
      }
      action {
        target {
          virtual_service {
            virtual_service_name = aws_appmesh_virtual_service.service["order"].name
          }
        }
      }
    }
  }
}
