# The four roles as services. `role` is what the program calls it (ROLES); the names are those of the service that was here
# before, and so of its dashboards and alarms.
locals {
  services = {
    "api-gateway" = {
      role    = "gateway"
      cpu     = 512
      memory  = 1024
      desired = 2
      minimum = 100
      maximum = 200
      public  = true
      # interval, timeout, retries, start
      health  = [30, 5, 3, 60]
      scaling = { minimum = 1, maximum = 4 }
    }
    "indexer" = {
      role    = "indexer"
      cpu     = 512
      memory  = 1024
      desired = 1
      minimum = 0
      maximum = 100
      public  = false
      health  = [30, 10, 3, 300]
      scaling = null
    }
    "engine" = {
      role    = "engine"
      cpu     = 256
      memory  = 512
      desired = 1
      minimum = 0
      maximum = 100
      public  = false
      health  = [30, 5, 3, 60]
      scaling = null
    }
    "worker" = {
      role    = "worker"
      cpu     = 256
      memory  = 512
      desired = 2
      minimum = 50
      maximum = 200
      public  = false
      health  = [30, 5, 3, 60]
      scaling = { minimum = 1, maximum = 6 }
    }
  }
}

resource "aws_ecs_service" "role" {
  for_each         = local.services
  name             = each.key
  cluster          = aws_ecs_cluster.main.id
  task_definition  = aws_ecs_task_definition.role[each.key].arn
  platform_version = "1.4.0"
  propagate_tags   = "SERVICE"
  # No task before the schema is there: terraform/deploy migrates, and then starts as many as `desired` says.
  desired_count                      = 0
  deployment_minimum_healthy_percent = each.value.minimum
  deployment_maximum_percent         = each.value.maximum
  health_check_grace_period_seconds  = each.value.public ? 60 : null

  # The first on_demand_tasks are not taken away by a shortage; the rest may be.
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = var.on_demand_tasks
    weight            = 0
  }

  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 1
  }

  # A revision whose tasks do not stay up is taken back by ECS itself.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = [for subnet in aws_subnet.public : subnet.id]
    security_groups  = each.value.public ? [aws_security_group.tasks.id, aws_security_group.gateway.id] : [aws_security_group.tasks.id]
    assign_public_ip = true
  }

  dynamic "load_balancer" {
    for_each = each.value.public ? [aws_lb_target_group.gateway.arn] : []

    content {
      target_group_arn = load_balancer.value
      container_name   = "agentauri"
      container_port   = 8080
    }
  }

  depends_on = [
    aws_lb_listener.https,
    aws_iam_role_policy.execution,
    aws_ecs_cluster_capacity_providers.main,
  ]

  # terraform/deploy sets the revision, autoscaling the number.
  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}
