"""A LangChain conversation that outlives the process: BotWireChatHistory with ConversationBufferMemory.

Needs LangChain: pip install 'botwire[langchain]' langchain-classic. It warns that ConversationBufferMemory is
deprecated; the history works with what comes after it just as well.
"""

from langchain_classic.memory import ConversationBufferMemory

from botwire import BotWireChatHistory

history = BotWireChatHistory("user-42")
memory = ConversationBufferMemory(chat_memory=history, return_messages=True)

before = len(history.messages)
print("messages from earlier runs:", before)

memory.save_context({"input": "I moved to Berlin."}, {"output": "Noted. How is it there?"})

# Another object, another process, another day: the session id is all that is needed.
later = BotWireChatHistory("user-42")
for message in later.messages[before:]:
    print(f"{message.type}: {message.content}")
