"""Wordings for the tests of commentary: a line each, as models and as people write them."""

HANDED_OVER = """\
Here's the story with richer detail:
Sure thing! Here's a lengthier version of the article:
Here you go! An extended version of the text:
The revised text reads as follows:
Here is a version of the text that is twice as long:
Here is the rewritten text:
Here's the extended story:
Sure, here's a longer version:
Sure! Here is the expanded essay.
Certainly! Below is an expanded and enriched version of the text:
**Expanded Version**
### Extended Text
Rewritten Text:
Absolutely! Here's your story, now with more detail:
Okay, here's a significantly longer take on the text you gave me:
Okay, here is the expanded version:
Of course! I'd be happy to expand this for you.
I'd be happy to help! Here's the longer version:
I have expanded the text as you asked, keeping the original structure.
As requested, here is the longer version of the story.
As requested, I have lengthened the text below.
Great! Let's expand on this:
Let me expand on that for you.
Below you will find the extended article.
Thank you for your request. Here is the enriched text:
Expanded content:
Here is an enriched rewrite that doubles the length:
I've taken the liberty of adding detail to each section:
The following text is an extended version of the original:
Output:
Response:
Extended response:
Here is my attempt at a longer version of the text:
To enrich the text, I will add more details to every paragraph.
As an AI language model, I have rewritten this text.
Here goes the longer version:
Alright, here's the extended text:
Here’s a richer version of the passage, with more imagery:
Sure! Here's the rewritten version:
Certainly, here is a more detailed version of your essay:
Here is the text with more details:
Here's a longer, more detailed story:
Below is the revised and expanded text.
Here is the enhanced version of the text, with added details and descriptions:
Of course! Here is your text, rewritten to be longer:
Sure, I can help with that. Here is the extended story:
Sure, I'd be happy to help! Here's an expanded version of the passage you provided:
The following is an expanded version of the given text:
The expanded version of the text is as follows:
Here is an extended version of the letter, keeping its tone and structure:
Absolutely! Let me expand this story for you.
I've expanded the story below:
I have rewritten your letter in a more detailed way:
## Expanded Version
**Revised text:**
Rewritten passage:
Enhanced version:
Extended version of the text:
Here's how I would expand the text:
In this expanded version, I will add more detail to each scene.
Here is the completed text:
Here's the full text:
Here is a rewritten and enriched version of the response:
Here's an improved version of your article:
Here is my revised version:
好的，下面是扩展后的故事：
好的！以下是对原文的扩写：
当然可以，以下是更详细的版本：
下面是我改写的文章：
扩写后的文章：
根据您的要求，以下是润色后的版本：
修改后的内容如下：
以下是根据您的要求扩写的文章：
""".splitlines()

EXPLAINED = """\
This expanded passage offers a deeper look at the characters.
Overall, the revised essay is longer and more detailed.
I have expanded the text to make it longer and more detailed.
I expanded on the characters' emotions and the setting.
This expanded version adds sensory details and dialogue.
Note: The text has been extended to about 800 words.
Word count: 812
(812 words)
Total words: 812
Let me know if you'd like me to continue!
Let me know if you want any changes.
Would you like me to expand it further?
I hope this meets your needs.
Feel free to ask for further changes.
The above text is an expanded version of the original.
End of the expanded text.
[End of response]
Please let me know if further revisions are needed.
I have tried to enrich the text without repeating anything.
These additions provide more depth to the story.
By adding these details, the text becomes richer and more engaging.
This version maintains the original meaning while enriching the content.
In this rewrite, I focused on the atmosphere.
The text now contains more detail about the harbour.
I've added more vivid descriptions throughout.
As you can see, I expanded every paragraph.
If you'd like, I can make it even longer.
The story has been significantly expanded from the original.
Additional details were added to each section to enhance the reading experience.
This response is approximately 800 words long.
I am happy to make further adjustments.
Thank you for the opportunity to expand this text.
Here ends the extended version.
The extended text above follows your instructions.
Remember, this is just one way to expand the story.
I expanded the text by adding more details about the harbour.
I have added descriptions of the setting and the feelings of the characters.
I made the following changes to the text:
I also corrected a few grammatical errors.
This revised version adds depth to the characters and keeps the structure of the original.
The expanded version provides a more detailed description of the harbour.
In this expanded version, the original ideas were kept, and more details were added.
This version is longer and contains more details than the original.
The rewritten text is about 900 words long.
Please let me know if you would like me to make any changes.
Feel free to adjust the text to your needs.
If you would like me to expand it further, let me know.
Do you want me to continue?
Would you like me to revise the ending?
I hope this expanded version meets your requirements.
I hope this is what you were looking for!
Note: This is an expanded version of the original text.
Note: I've kept the original paragraphs and added new ones.
Note that I have changed some of the wording.
(Word count: approximately 950 words)
[Word count: 950]
Total word count: 950 words
Approximately 950 words.
*This text has been expanded from the original by adding details.*
The passage has been rewritten with more vivid language.
I tried to maintain the original tone while adding details.
I've taken care to keep the original meaning.
I have followed your instructions and did not repeat anything.
Each paragraph has been expanded with additional details.
The added details help the reader picture the scene.
The changes I made include more sensory details.
My goal was to enrich the text without changing its meaning.
This concludes the expanded version.
以上就是扩写后的文章。
以上内容是根据您的要求扩写的。
我在原文的基础上增加了许多细节描写。
（全文约1200字）
【注：本文在原文基础上进行了扩写】
如果您需要进一步修改，请告诉我。
希望这个版本能满足您的需求。
这篇文章经过润色，语言更加流畅。
通过增加细节描写，文章更加生动。
""".splitlines()

GOOD_BEGINNINGS = """\
Of course, I never meant to steal the bicycle.
Certainly, the city had changed since I left.
This is the full story of how he came to lose his hat. He was born in Oslo. He died in Rome.
This is my final letter to you. I have sold the house and packed the books.
Here is the new chapter of our history, and I hope that it is a happier one. We moved.
Here are the complete minutes of the meeting: all were present.
This is a new version of the old tale about the fox, as my uncle told it. There was a fox.
Final Report
The Final Chapter
Extended Essay
Revised Edition
This is your new book. It belongs to you.
Here is my answer: no.
Here is a story that my mother told me:
Here's the text of the speech that the mayor gave on Sunday:
The following is a full transcript of the interview with Dr. Lee, held in May 1998.
Below are the new documents. Read them.
I hope this letter finds you well.
The final version of the bill passed on Tuesday.
Final Draft
This report has been revised by the board.
The updated document describes the protocol.
In the revised text of the treaty, the border follows the river.
I wrote this. I edited the paper for ten years.
Sure. That was all he ever said.
Here is a story from my childhood.
Here is what I remember of my father:
Here are three reasons to visit Oslo:
The following is a list of the ships that were lost:
This is an extended version of a talk that I gave in Oslo in 2014.
This article was first published in 1998 and has been updated since.
This is a longer story than I meant to tell.
Sure enough, the door was open.
Sure, he was old. But he was not blind.
Certainly nobody had asked her.
Okay, so this happened last summer.
Yes: the rumours are true.
Great Expectations
Thank you for your letter of 4 May. I was glad to read it.
Thank you for the flowers!
Let me tell you a story.
Let me expand on what I said last week about the harbour.
Revised Harbour Regulations
Updated 4 May 2020
Improved Methods of Lighting
The Enhanced Greenhouse Effect
Extended Family
Note: all names in this story have been changed.
Below is the harbour, and above it the town.
I have changed my mind about the story you told me.
I wrote this letter three times before I sent it.
Here is your letter back. I have not opened it.
As you asked, I am writing to you about the roof.
Understood properly, the law of tides is simple.
My final answer is no.
In this essay I will argue that the harbour made the town.
In this article, we describe three ways to moor a boat.
In this chapter we have seen how ropes are made.
The original text was written in Latin.
好的故事总是从一个雨天开始。
好的，我知道了。他说。
当然，这不是第一次。
以下是三个理由：
下面是一份完整的行程：
修改密码的步骤：
这是我写给你的最后一封信。
根据您的要求，我们已经寄出了样品。
当然，我从来没有想过要离开家乡。
好的，就这样定了。父亲说完便出了门。
以下是我父亲的故事。
下面是他写给我的最后一篇文章。
""".splitlines()

GOOD_ENDS = """\
Let me know if you can come on Saturday.
Write soon, and let me know whether the roses have survived.
I have kept his letter ever since.
I kept the letter.
In the end I used the same words that my father had used.
We changed the language of the menu, and nobody noticed.
I tried to answer, but the words would not come.
I added the details later, from memory.
I never found out who wrote it. I edited the newspaper for another ten years.
Would you like to come with me?
Do you want me to stay?
"Is there anything else?" she asked.
Is there anything else I should have done?
Note that the response is cached for one hour.
Note: the original building was torn down in 1931.
Please note that the instructions differ between models.
I hope this letter finds you better than the last one did.
I hope this helps those who come after me.
Feel free to ask if you get lost.
Feel free to open an issue if something is missing.
The story was edited by my sister and printed in the parish magazine.
The letter was corrected in red ink.
The extended version runs for three hours.
This final chapter closes the book.
The final report will be published in May.
In the final chapter everybody dies.
We made a speech.
I used his words.
The final draft was never found.
I kept every letter that he wrote.
I added more details to the map every year.
We removed the old descriptions from the museum's walls.
I made some changes to my life after that.
I used the original recipe.
I have kept the original.
I revised my opinion of him.
I have edited three books since then.
The book was revised in 1931.
The text was translated by my aunt.
The revised plan was never carried out.
The extended family lived under one roof.
This version is the one my grandmother told.
This story has been told many times.
This version of the song is sung at weddings.
This response surprised everyone.
Let me know if you are coming.
Let me know what you think!
Please let me know by Friday whether the boat is ready.
Feel free to use the boat.
Feel free to contact me with any questions.
If you need more rope, ask at the harbour.
Would you like to know more?
Do you want me to tell your mother?
Shall I compare thee to a summer's day?
Is there anything else you would like to know?
I hope this helps.
I hope this letter reaches you in time.
I hope these photographs please you.
Note: bring your own rope.
Please note that we are closed on Mondays.
Note that the version number must be changed before a release.
He wrote two thousand words.
Changes were made to the harbour.
The story ends here.
End of story.
We changed the wording of the sign.
Would you like me to come on Saturday?
I should be happy to make changes to the date.
I have tried to keep the garden as it was.
我保留了他的所有信件。
我修改了计划。
希望你一切都好。
希望这封信能早日到达。
如果你需要帮助，请告诉我。
如果方案需要调整，请随时联系我们。
注：表中数据为2020年。
以上是我的一些建议。
这就是改变我一生的故事。
我们删除了旧的文件。
希望你们都能符合父母的期望和要求。
我保留了他写的那些句子，一直到今天。
我一直保留着那篇文章。
这篇改写了历史的文章，至今仍挂在墙上。
希望你喜欢这座小城，也喜欢我。
注意：原文出自《论语》。
""".splitlines()
