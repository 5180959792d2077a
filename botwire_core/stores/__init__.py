"""The stores, and the base that most of them stand on."""
