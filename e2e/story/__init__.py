"""What the demo and the end-to-end tests share: images, installation, a model and its client."""
