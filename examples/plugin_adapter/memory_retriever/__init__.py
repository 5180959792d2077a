"""A LangChain retriever over what a memory holds."""
