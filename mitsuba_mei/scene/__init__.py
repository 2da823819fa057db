"""Scene components, and the SceneState that a renderer takes."""
