resource "aws_ecs_cluster" "main" {
  name = local.name

  # The numbers of running tasks, which alarms need, exist with it only.
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

data "aws_ecr_repository" "main" {
  name = "agentauri-backend"
}
