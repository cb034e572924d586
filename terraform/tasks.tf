# One task definition a role. A change of settings makes a new revision here; it takes effect with the next terraform/deploy, which
# begins with the newest revision of each family.
locals {
  # What every container of ours is like.
  container = {
    name                   = "agentauri"
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    stopTimeout            = 30
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    # The only limit that Fargate lets us set.
    ulimits = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
    secrets = local.container_secrets
  }

  # Tells each minute whether the chains move on, in lines that a log filter counts (alarms_indexer.tf).
  progress_container = merge(local.container, {
    name        = "progress"
    essential   = false
    command     = ["agentauri-progress"]
    environment = local.container_environment
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service["indexer"].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "progress"
      }
    }
  })
}

resource "aws_ecs_task_definition" "role" {
  for_each                 = local.services
  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  container_definitions = jsonencode(concat([
    merge(local.container, {
      environment  = concat(local.container_environment, [{ name = "ROLES", value = each.value.role }])
      portMappings = each.value.public ? [{ containerPort = 8080, protocol = "tcp" }] : []
      healthCheck = {
        # `live`: see the target group. The others have no API, and are asked at METRICS_ADDR.
        command     = each.value.public ? ["CMD-SHELL", "HEALTHCHECK_PATH=/api/v1/health/live agentauri-healthcheck"] : ["CMD", "agentauri-healthcheck"]
        interval    = each.value.health[0]
        timeout     = each.value.health[1]
        retries     = each.value.health[2]
        startPeriod = each.value.health[3]
      }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.service[each.key].name
          awslogs-region        = var.region
          awslogs-stream-prefix = each.value.role
        }
      }
    })
  ], each.key == "indexer" ? [local.progress_container] : []))
}
