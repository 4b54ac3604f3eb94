"""What models.peft_lora is made of: the base model as a folder, examples as tokens, the estimate, loading, the training loop."""
