"""Remember something for an hour: ttl is in seconds, and afterwards it is gone by itself."""

from botwire import Memory

memory = Memory("examples-expire")

memory.set("offer", {"code": "SPRING"}, ttl=3600)
print("the offer:", memory.get("offer"))
print("minutes left:", round((memory.ttl("offer") or 0) / 60))

memory.expire("offer", 86400)
print("extended to hours:", round((memory.ttl("offer") or 0) / 3600))

memory.set("offer", {"code": "SPRING"})
print("set without ttl, so it stays:", memory.ttl("offer"))
