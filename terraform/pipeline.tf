# What terraform/deploy has to know. It reads this and no state: whoever may deploy need not be able to read the state.
locals {
  previous_release     = "/agentauri/${var.environment}/previous-release"
  previous_release_arn = "arn:aws:ssm:${var.region}:${var.account_id}:parameter${local.previous_release}"
}

resource "aws_ssm_parameter" "deploy" {
  name = "/agentauri/${var.environment}/deploy"
  type = "String"
  value = jsonencode({
    cluster           = aws_ecs_cluster.main.name
    database          = aws_db_instance.main.identifier
    registry          = data.aws_ecr_repository.main.repository_url
    url               = "https://${var.api_domain}"
    previous_release  = local.previous_release
    migrate_family    = aws_ecs_task_definition.migrate.family
    migrate_log_group = aws_cloudwatch_log_group.migrate.name
    subnets           = [for subnet in aws_subnet.public : subnet.id]
    security_groups   = [aws_security_group.tasks.id]
    services = {
      for name, service in local.services : name => {
        family  = aws_ecs_task_definition.role[name].family
        desired = service.desired
      }
    }
  })
}
